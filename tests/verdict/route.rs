//! Local packets, forwarded packets, and packets that the kernel accepts from nobody (EV-094, EV-095,
//! EV-172, EV-261, EV-262).

use std::net::IpAddr;

use hep_common::{Family, counter::Reason};
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, INGRESS, Row},
    packet::{self, Packet},
    policy::{eth0, no_failsafe, policy},
    topology::{HOST_MAC, OUTSIDE_MAC},
};

const DENIED: Reason = Reason::TierDefault;
const FORWARDED: Reason = Reason::ForwardDefault;
const MARTIAN: Reason = Reason::Martian;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal address")
}

/// Local traffic is denied, forwarded traffic is open.
fn deny_local() -> Vec<String> {
    vec![
        eth0(),
        no_failsafe(),
        policy("none", "types: [Ingress, Egress]"),
    ]
}

/// A packet that the kernel would take: its frame is for this host.
fn taken(packet: Packet) -> Packet {
    packet.ethernet(OUTSIDE_MAC, HOST_MAC)
}

fn unspecified(net: &Net) -> IpAddr {
    match net.family {
        Family::V4 => ip("0.0.0.0"),
        Family::V6 => ip("::"),
    }
}

/// EV-094: whatever the routes say.
#[test]
fn ev_094_what_comes_from_or_goes_to_nobody_is_local() {
    let mut bench = Bench::with(&deny_local());
    for net in Net::both() {
        let none = unspecified(&net);
        let udp = |from, to| taken(packet::udp(from, to).dport(9999));
        bench.expect(&[
            (
                "a routed packet",
                INGRESS,
                udp(net.client, net.inner),
                FORWARDED,
            ),
            ("both", INGRESS, udp(none, none), DENIED),
            ("the source", INGRESS, udp(none, net.inner), DENIED),
            ("the destination", INGRESS, udp(net.client, none), DENIED),
        ]);
    }
}

/// EV-095: DHCP's ports make no routed packet local.
#[test]
fn ev_095_a_routed_dhcp_answer_is_forwarded() {
    let mut bench = Bench::with(&deny_local());
    let net = Net::of(Family::V4);
    let answer = |to| taken(packet::udp(net.peer, to).sport(67).dport(68));
    bench.expect(&[
        ("on the link", INGRESS, answer(ip("192.0.2.77")), DENIED),
        (
            "to everybody",
            INGRESS,
            answer(ip("255.255.255.255")),
            DENIED,
        ),
        ("behind eth1", INGRESS, answer(net.inner), FORWARDED),
    ]);
}

/// EV-172: only what is local is exempt, or what layer 2 carries to a child of the interface.
#[test]
fn ev_172_routed_neighbour_discovery_is_judged() {
    let mut resources = deny_local();
    resources.push(policy(
        "forwarded",
        "applyOnForward: true, types: [Ingress], ingress: [{action: Deny}]",
    ));
    let mut bench = Bench::with(&resources);
    let net = Net::of(Family::V6);
    let solicitation = |to| {
        packet::icmp(net.peer, to, 135, 0)
            .payload(16)
            .hop_limit(255)
    };
    bench.expect(&[
        (
            "to this host",
            INGRESS,
            taken(solicitation(net.host)),
            Reason::Essential,
        ),
        (
            "to a group",
            INGRESS,
            taken(solicitation(ip("ff02::1:ff00:10"))),
            Reason::Essential,
        ),
        (
            "to a child's own address",
            INGRESS,
            solicitation(net.inner),
            Reason::Essential,
        ),
        (
            "on the link",
            INGRESS,
            taken(solicitation(ip("2001:db8::60"))),
            Reason::Essential,
        ),
        (
            "through this host",
            INGRESS,
            taken(solicitation(net.inner)),
            Reason::PolicyDeny,
        ),
    ]);
}

/// EV-261: what leaves is the host's if its source is.
#[test]
fn ev_261_what_children_of_an_interface_send_is_forwarded() {
    let mut bench = Bench::with(&deny_local());
    for (net, child) in Net::both().iter().zip(["192.0.2.60", "2001:db8::60"]) {
        let child = ip(child);
        let udp = |from, to| packet::udp(from, to).dport(7001);
        bench.expect(&[
            ("to a child", INGRESS, udp(net.peer, child), FORWARDED),
            ("from a child", EGRESS, udp(child, net.peer), FORWARDED),
            ("to the host", INGRESS, udp(net.peer, net.host), DENIED),
            ("from the host", EGRESS, udp(net.host, net.peer), DENIED),
            (
                "from its other address",
                EGRESS,
                udp(net.host_inside, net.peer),
                DENIED,
            ),
            (
                "from nobody",
                EGRESS,
                udp(unspecified(net), net.peer),
                DENIED,
            ),
        ]);
    }
}

/// EV-262: martians are dropped before policy and make no flow.
#[test]
fn ev_262_martians_are_dropped_and_make_no_flow() {
    let mut bench = Bench::with(&[
        eth0(),
        no_failsafe(),
        policy(
            "all",
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{action: Allow}], egress: [{action: Allow}]",
        ),
    ]);
    let allowed = Reason::PolicyAllow;
    for net in Net::both() {
        let (loopback, group) = match net.family {
            Family::V4 => (ip("127.0.0.1"), ip("224.0.0.1")),
            Family::V6 => (ip("::1"), ip("ff02::1")),
        };
        let tcp = |from, to| packet::tcp(from, to).dport(81);
        let own = match net.family {
            Family::V4 => MARTIAN,
            Family::V6 => allowed,
        };
        let rows: Vec<Row<'_>> = vec![
            (
                "another's",
                INGRESS,
                taken(tcp(net.client, net.host)),
                allowed,
            ),
            (
                "loopback source",
                INGRESS,
                taken(tcp(loopback, net.host)),
                MARTIAN,
            ),
            (
                "loopback destination",
                INGRESS,
                taken(tcp(net.client, loopback)),
                MARTIAN,
            ),
            ("a group's", INGRESS, taken(tcp(group, net.host)), MARTIAN),
            (
                "own, to this host",
                INGRESS,
                taken(tcp(net.host, net.host_inside)),
                own,
            ),
            (
                "own, through this host",
                INGRESS,
                taken(tcp(net.host, net.inner)),
                own,
            ),
            (
                "not for the kernel",
                INGRESS,
                tcp(net.host, net.inner),
                allowed,
            ),
        ];
        for row in rows {
            let (name, hook, packet, expected) = &row;
            bench.forget_flows();
            assert_eq!(
                bench.judge(*hook, packet),
                *expected,
                "{name}, IPv{}",
                net.family as u8
            );
            assert_eq!(bench.flows().is_empty(), *expected == MARTIAN, "{name}");
        }
    }
}
