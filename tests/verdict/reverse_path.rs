//! The reverse-path check of new flows (EV-187), by the routes of the bench's host.

use std::net::IpAddr;

use hep_common::{Family, counter::Reason};
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, INGRESS, INSIDE_INGRESS, Row},
    packet::{self, ACK, Packet, SYN},
    policy::{endpoint, eth0, felix, policy},
};

const ALLOW: Reason = Reason::PolicyAllow;
const FAIL: Reason = Reason::ReversePath;

/// Everything is allowed; the check is `mode`.
fn resources(mode: &str) -> Vec<String> {
    vec![
        eth0(),
        endpoint("h1-eth1", "interfaceName: eth1"),
        felix(&format!("bpfEnforceRPF: {mode}")),
        policy(
            "all",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Allow}], egress: [{action: Allow}]",
        ),
        policy(
            "untracked",
            "doNotTrack: true, applyOnForward: true, types: [Ingress], \
             ingress: [{action: Allow, protocol: UDP, destination: {ports: [53]}}]",
        ),
    ]
}

/// An address to which the bench's host has a route that leads nowhere.
fn unroutable(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => "198.18.0.1",
        Family::V6 => "2001:db8:dead::1",
    }
    .parse()
    .expect("a literal address")
}

fn unspecified(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => "0.0.0.0",
        Family::V6 => "::",
    }
    .parse()
    .expect("a literal address")
}

fn link_local(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => "169.254.7.7",
        Family::V6 => "fe80::7",
    }
    .parse()
    .expect("a literal address")
}

fn udp(from: IpAddr, to: IpAddr) -> Packet {
    packet::udp(from, to).dport(4000)
}

/// EV-187: `Strict` wants the best route back to use the same interface, `Loose` any route back, and
/// without either nothing is checked; unspecified and link-local sources are exempt.
#[test]
fn strict_and_loose_ask_for_the_way_back() {
    let mut bench = Bench::with(&resources("Disabled"));
    for (mode, other_interface, no_route) in [
        ("Disabled", ALLOW, ALLOW),
        ("Strict", FAIL, FAIL),
        ("Loose", ALLOW, FAIL),
    ] {
        bench.apply(&resources(mode));
        for net in Net::both() {
            bench.expect(&[
                (
                    "the default route",
                    INGRESS,
                    udp(net.client, net.host),
                    ALLOW,
                ),
                (
                    "the link's own route",
                    INSIDE_INGRESS,
                    udp(net.inner, net.host_inside),
                    ALLOW,
                ),
                (
                    "another interface",
                    INGRESS,
                    udp(net.inner, net.host),
                    other_interface,
                ),
                (
                    "forwarded",
                    INSIDE_INGRESS,
                    udp(net.client, net.peer),
                    other_interface,
                ),
                (
                    "nowhere",
                    INGRESS,
                    udp(unroutable(&net), net.host),
                    no_route,
                ),
                (
                    "nowhere, forwarded",
                    INGRESS,
                    udp(unroutable(&net), net.inner),
                    no_route,
                ),
                (
                    "this host itself",
                    INGRESS,
                    udp(net.host_inside, net.host),
                    no_route,
                ),
                (
                    "unspecified",
                    INGRESS,
                    udp(unspecified(&net), net.host),
                    ALLOW,
                ),
                (
                    "link-local",
                    INGRESS,
                    udp(link_local(&net), net.host),
                    ALLOW,
                ),
                ("egress", EGRESS, udp(unroutable(&net), net.client), ALLOW),
                (
                    "before failsafes",
                    INGRESS,
                    packet::tcp(unroutable(&net), net.host).dport(22),
                    if no_route == FAIL {
                        FAIL
                    } else {
                        Reason::Failsafe
                    },
                ),
                (
                    "behind untracked policy",
                    INGRESS,
                    udp(unroutable(&net), net.host).dport(53),
                    Reason::Untracked,
                ),
                (
                    "ICMPv6 is exempt, ICMP is not",
                    INGRESS,
                    packet::echo_request(unroutable(&net), net.host, 1),
                    match net.family {
                        Family::V4 => no_route,
                        Family::V6 => ALLOW,
                    },
                ),
            ]);
        }
    }
}

/// EV-187: packets of known flows come by any way.
#[test]
fn known_flows_are_not_checked() {
    let mut bench = Bench::with(&resources("Strict"));
    for net in Net::both() {
        let far = unroutable(&net);
        let request = packet::tcp(net.host, far);
        let rows: [Row<'_>; 3] = [
            ("request", EGRESS, request.clone(), ALLOW),
            (
                "answer",
                INGRESS,
                request.reversed().flags(SYN | ACK),
                Reason::Established,
            ),
            (
                "another",
                INGRESS,
                packet::tcp(far, net.host).dport(81),
                FAIL,
            ),
        ];
        bench.expect_sequence(&rows);
    }
}
