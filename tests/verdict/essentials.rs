//! Neighbour discovery and multicast listener traffic (EV-172).

use std::net::IpAddr;

use hep_common::{Family, counter::Reason};
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, FORWARD_OUT, Hook, INGRESS, Row},
    packet::{self, Packet},
    policy::{eth0, no_failsafe, policy},
};

const LINK_LOCAL: &str = "fe80::1";
const ALL_NODES: &str = "ff02::1";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal address")
}

fn deny_all() -> Vec<String> {
    vec![
        eth0(),
        no_failsafe(),
        policy(
            "none",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Deny}], egress: [{action: Deny}]",
        ),
    ]
}

fn discovery(source: IpAddr, kind: u8, code: u8, hop_limit: u8) -> Packet {
    packet::icmp(source, ip(ALL_NODES), kind, code)
        .payload(16)
        .hop_limit(hop_limit)
}

/// EV-172: types 133, 135, 136 in both directions with hop limit 255 and code 0; 134 inbound
/// from a link-local source; 130, 131, 132, 143 with hop limit 1 from a link-local source or `::`.
#[test]
fn essentials_pass_only_with_what_proves_them() {
    let mut bench = Bench::with(&deny_all());
    let net = Net::of(Family::V6);
    let (global, local, none) = (net.peer, ip(LINK_LOCAL), ip("::"));
    let pass = Reason::Essential;
    let deny = Reason::PolicyDeny;
    let mut rows: Vec<Row<'_>> = Vec::new();
    for hook in [INGRESS, EGRESS] {
        for kind in [133, 135, 136] {
            rows.push(("hop limit 255", hook, discovery(global, kind, 0, 255), pass));
            rows.push(("link-local", hook, discovery(local, kind, 0, 255), pass));
            rows.push(("hop limit 254", hook, discovery(local, kind, 0, 254), deny));
            rows.push(("code 1", hook, discovery(local, kind, 1, 255), deny));
        }
        rows.push(("no address yet", hook, discovery(none, 135, 0, 255), pass));
        let redirect = discovery(local, 137, 0, 255);
        rows.push(("redirect", hook, redirect, Reason::InvalidIcmp));
        for kind in [130, 131, 132, 143] {
            rows.push(("listener, local", hook, discovery(local, kind, 0, 1), pass));
            rows.push(("listener, ::", hook, discovery(none, kind, 0, 1), pass));
            rows.push((
                "listener, global",
                hook,
                discovery(global, kind, 0, 1),
                deny,
            ));
            rows.push(("listener, 255", hook, discovery(local, kind, 0, 255), deny));
        }
    }
    rows.push((
        "advertisement",
        INGRESS,
        discovery(local, 134, 0, 255),
        pass,
    ));
    let fragment = discovery(local, 135, 0, 255).fragment(0, 16, true);
    rows.push(("first fragment", INGRESS, fragment, deny));
    let to_nobody = |kind| {
        packet::icmp(local, none, kind, 0)
            .payload(16)
            .hop_limit(255)
    };
    for kind in [134, 135] {
        rows.push(("to ::", INGRESS, to_nobody(kind), deny));
    }
    rows.push(("routed", FORWARD_OUT, discovery(global, 135, 0, 254), deny));
    rows.push(("from afar", INGRESS, discovery(global, 134, 0, 255), deny));
    rows.push(("hop limit 64", INGRESS, discovery(local, 134, 0, 64), deny));
    rows.push(("outbound", EGRESS, discovery(local, 134, 0, 255), deny));
    let report = discovery(local, 143, 0, 1).extension(0, &[0, 5, 2, 0, 0, 1, 0]);
    rows.push(("report with router alert", INGRESS, report, pass));
    rows.push((
        "an echo request is none",
        INGRESS,
        packet::echo_request(local, ip(ALL_NODES), 1).hop_limit(255),
        deny,
    ));
    bench.expect(&rows);
}

/// The switch `--ipv6-nd-exempt` hands all of it to policy.
#[test]
fn without_the_exemption_policy_judges_neighbour_discovery() {
    let mut bench = Bench::with(&deny_all()).judge_neighbour_discovery();
    bench.apply(&deny_all());
    let local = ip(LINK_LOCAL);
    bench.expect(&[
        (
            "solicitation",
            INGRESS,
            discovery(local, 135, 0, 255),
            Reason::PolicyDeny,
        ),
        (
            "advertisement",
            INGRESS,
            discovery(local, 134, 0, 255),
            Reason::PolicyDeny,
        ),
        (
            "report",
            EGRESS,
            discovery(local, 143, 0, 1),
            Reason::PolicyDeny,
        ),
    ]);
}

/// EV-094, EV-095, EV-245: what is for everybody on the link is for this host.
#[test]
fn multicast_broadcast_and_link_local_destinations_are_local() {
    let rules = "types: [Ingress], ingress: [{action: Deny, protocol: UDP}]";
    let mut bench = Bench::with(&[eth0(), policy("none", rules)]);
    let [v4, v6] = Net::both();
    let udp = |source, destination: &str| packet::udp(source, ip(destination)).dport(5353);
    let from = |source: &str, destination: &str| {
        packet::udp(ip(source), ip(destination)).dport(68).sport(67)
    };
    let local = Reason::PolicyDeny;
    bench.expect(&[
        (
            "broadcast of the link",
            INGRESS,
            udp(v4.client, "192.0.2.255"),
            local,
        ),
        (
            "limited broadcast",
            INGRESS,
            udp(v4.client, "255.255.255.255"),
            local,
        ),
        ("multicast", INGRESS, udp(v4.client, "224.0.0.251"), local),
        (
            "high multicast",
            INGRESS,
            udp(v4.client, "239.255.255.250"),
            local,
        ),
        (
            "multicast, IPv6",
            INGRESS,
            udp(v6.client, "ff02::fb"),
            local,
        ),
        (
            "wide multicast, IPv6",
            INGRESS,
            udp(v6.client, "ff0e::1"),
            local,
        ),
        (
            "another interface's address",
            INGRESS,
            udp(v4.client, "10.0.0.1"),
            local,
        ),
        (
            "and in IPv6",
            INGRESS,
            udp(v6.client, "2001:db8:10::1"),
            local,
        ),
        (
            "forwarded",
            INGRESS,
            udp(v4.client, "10.0.0.5"),
            Reason::ForwardDefault,
        ),
        (
            "forwarded, IPv6",
            INGRESS,
            udp(v6.client, "2001:db8:10::5"),
            Reason::ForwardDefault,
        ),
        (
            "a DHCP offer to an address that is not yet ours",
            INGRESS,
            from("192.0.2.1", "192.0.2.99"),
            Reason::Failsafe,
        ),
    ]);
}

/// EV-096, EV-261: at egress, what came in by an interface is forwarded, whatever its source address, and
/// so is what comes from an address that is not the host's.
#[test]
fn at_egress_the_incoming_interface_tells_forwarded_from_own_packets() {
    let rules = "types: [Egress], egress: [{action: Deny}]";
    let mut bench = Bench::with(&[eth0(), policy("none", rules)]);
    for net in Net::both() {
        let packet = || packet::udp(net.inner, net.client).dport(5000);
        let own = || packet::udp(net.host, net.client).dport(5000);
        bench.expect(&[
            ("own", EGRESS, own(), Reason::PolicyDeny),
            ("a child's", EGRESS, packet(), Reason::ForwardDefault),
            ("forwarded", FORWARD_OUT, packet(), Reason::ForwardDefault),
            (
                "forwarded, masqueraded",
                FORWARD_OUT,
                own(),
                Reason::ForwardDefault,
            ),
            ("unpoliced", Hook::egress("eth1"), own(), Reason::Unpoliced),
        ]);
    }
}
