//! Control traffic: neighbour discovery, DHCP, multicast, broadcast (section 13; EV-244 to EV-247).

use std::net::IpAddr;

use hep_common::Family;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    packet::{self, Packet},
    policy::{endpoint, eth0, eth0_default_allow, policy},
    probe::{
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, ping, tcp,
    },
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

use crate::{Fixture, fixture, pass_freely};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a literal address")
}

fn deny_all() -> String {
    policy(
        "none",
        "types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]",
    )
}

/// A neighbour solicitation for `target`.
fn solicitation(source: IpAddr, target: IpAddr) -> Packet {
    let IpAddr::V6(address) = target else {
        panic!("neighbour discovery is IPv6")
    };
    packet::icmp(source, target, 135, 0)
        .payload_bytes(&address.octets())
        .ethernet(OUTSIDE_MAC, HOST_MAC)
}

/// EV-244: neighbour solicitations pass a default deny if their hop limit proves that they are from
/// the link (EV-172).
#[test]
fn ev_244_neighbour_discovery_passes_a_default_deny_only_with_hop_limit_255() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let net = Net::of(Family::V6);
    let link = Link::open(&topology.outside, "eth0");
    let receiver = Receiver::raw(&topology.host, net.host, 58);
    let arrives = |hop_limit: u8, wanted: bool| {
        let frame = solicitation(net.peer, net.host).hop_limit(hop_limit);
        link.send(&frame.frame());
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |message| message.first() == Some(&135));
        assert_eq!(heard.is_some(), wanted, "hop limit {hop_limit}");
    };
    arrives(255, true);
    arrives(64, true);
    daemon.replace(&[eth0(), deny_all()]);
    arrives(255, true);
    arrives(64, false);
}

/// EV-172: a host under a deny of everything still finds and keeps its neighbours, of both
/// families (EV-163).
#[test]
fn neighbours_are_found_under_a_deny_of_everything() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.peer, net.host, 22), Answer),
            (tcp(net.peer, net.host, 80), Nothing),
        ]
    });
    daemon.replace(&[eth0(), deny_all()]);
    for namespace in [&topology.host, &topology.outside] {
        namespace.ip("neighbour flush all");
    }
    topology.expect("neighbours unknown", &probes);
}

/// EV-245: broadcast, multicast and link-local destinations are local, whatever is routed
/// (EV-094, EV-095).
#[test]
fn ev_245_broadcast_multicast_and_link_local_packets_are_local() {
    let topology = Topology::new();
    topology
        .host
        .ip("address add 169.254.7.7/16 dev eth0\naddress add fe80::77/64 dev eth0");
    let link = Link::open(&topology.outside, "eth0");
    let eth0_index = topology.host.ifindex("eth0");
    let cases = [
        ("192.0.2.1", "192.0.2.255"),
        ("192.0.2.1", "255.255.255.255"),
        ("192.0.2.1", "224.0.0.251"),
        ("192.0.2.1", "169.254.7.7"),
        ("2001:db8::1", "fe80::77"),
        ("2001:db8::1", "ff02::fb"),
    ];
    let arrives = |wanted: bool| {
        for (source, destination) in cases {
            let (source, destination) = (ip(source), ip(destination));
            let mut receiver = Receiver::udp(&topology.host, destination, 5353);
            if destination.is_multicast() {
                receiver = receiver.join(destination, eth0_index);
            }
            let mac = if destination.is_multicast() || destination.to_string().contains("255") {
                [0xff; 6]
            } else {
                HOST_MAC
            };
            let frame = packet::udp(source, destination)
                .dport(5353)
                .ethernet(OUTSIDE_MAC, mac);
            link.send(&frame.frame());
            let limit = if wanted { PATIENCE } else { SILENCE };
            let heard = receiver.receive(limit, |_| true).is_some();
            assert_eq!(heard, wanted, "{destination}");
        }
    };
    arrives(true);
    let deny = policy("none", "types: [Ingress], ingress: [{action: Deny}]");
    let mut daemon = Daemon::start(&topology.host, &[eth0_default_allow(), deny]);
    arrives(false);
    daemon.replace(&[
        eth0(),
        policy(
            "mdns",
            "types: [Ingress], ingress: [{action: Allow, protocol: UDP, \
             destination: {ports: [5353]}}]",
        ),
    ]);
    arrives(true);
}

/// EV-246: a host without an address yet may request one, and receives the offer (EV-073, EV-166).
#[test]
fn ev_246_dhcp_works_under_a_deny_of_everything() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let from_host = Link::open(&topology.host, "eth0");
    let at_server = Link::open(&topology.outside, "eth0");
    let discover = |port: u16| {
        packet::udp(ip("0.0.0.0"), ip("255.255.255.255"))
            .sport(68)
            .dport(port)
            .payload(240)
            .ethernet(HOST_MAC, [0xff; 6])
            .frame()
    };
    let leaves = |port: u16, wanted: bool| {
        let frame = discover(port);
        at_server.drain();
        from_host.send(&frame);
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = at_server.receive(limit, |seen| seen == frame).is_some();
        assert_eq!(heard, wanted, "to port {port}");
    };
    let offered = |destination: &str, wanted: bool| {
        let destination = ip(destination);
        let receiver = Receiver::raw(&topology.host, destination, 17);
        let offer = packet::udp(ip("192.0.2.1"), destination)
            .sport(67)
            .dport(68)
            .payload(240)
            .ethernet(OUTSIDE_MAC, HOST_MAC);
        at_server.send(&offer.frame());
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |packet| packet.get(22..24) == Some(&[0, 68]));
        assert_eq!(heard.is_some(), wanted, "offer to {destination}");
    };
    leaves(67, true);
    leaves(69, true);
    offered("192.0.2.10", true);
    offered("255.255.255.255", true);
    daemon.replace(&[eth0(), deny_all()]);
    leaves(67, true);
    leaves(69, false);
    offered("192.0.2.10", true);
    offered("255.255.255.255", true);
}

/// EV-247: the reply of an echo request passes; the other end's own requests are new flows, also
/// with the same identifier (EV-150, EV-151).
#[test]
fn ev_247_an_echo_flow_belongs_to_who_asked() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let questions = |net: &Net| {
        [
            (ping(net.host, net.client, 77), Answer),
            (ping(net.client, net.host, 77), Nothing),
            (ping(net.host, net.client, 77), Answer),
        ]
    };
    for net in Net::both() {
        for question in questions(&net) {
            pass_freely(topology, &[question]);
        }
    }
    let rules: Vec<String> = Net::both()
        .map(|net| {
            format!(
                "{{action: Allow, protocol: {}, icmp: {{type: {}}}}}",
                net.icmp(),
                net.echo_request()
            )
        })
        .into();
    let egress = policy(
        "ping",
        &format!("types: [Egress], egress: [{}]", rules.join(", ")),
    );
    daemon.replace(&[eth0(), egress]);
    for net in Net::both() {
        for question in questions(&net) {
            topology.expect("in this order", &[question]);
        }
    }
}

/// EV-165, EV-120: VRRP advertisements, IGMP queries and SCTP packets are judged by policy, by number
/// and port, in both families.
#[test]
fn vrrp_igmp_and_sctp_need_a_policy() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let eth0_index = topology.host.ifindex("eth0");
    let arrives = |number: u8, packet: Packet, wanted: bool| {
        let destination = packet.destination();
        let mut receiver = Receiver::raw(&topology.host, destination, number);
        let mut mac = HOST_MAC;
        if destination.is_multicast() {
            receiver = receiver.join(destination, eth0_index);
            mac = [0xff; 6];
        }
        link.send(&packet.ethernet(OUTSIDE_MAC, mac).frame());
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |_| true).is_some();
        assert_eq!(heard, wanted, "protocol {number} to {destination}");
    };
    let check = |vrrp: bool, igmp: bool, sctp: [bool; 2]| {
        for (source, group, number, wanted) in [
            ("192.0.2.1", "224.0.0.18", 112, vrrp),
            ("fe80::1", "ff02::12", 112, vrrp),
            ("192.0.2.1", "224.0.0.1", 2, igmp),
        ] {
            let packet = packet::protocol(ip(source), ip(group), number, 20).hop_limit(255);
            arrives(number, packet, wanted);
        }
        for net in Net::both() {
            for (port, wanted) in [(5000, sctp[0]), (5001, sctp[1])] {
                let packet = packet::sctp(net.client, net.host).dport(port);
                arrives(132, packet, wanted);
            }
        }
    };
    check(true, true, [true, true]);
    daemon.replace(&[endpoint("h1-eth0", "interfaceName: eth0")]);
    check(false, false, [false, false]);
    let rules = "{action: Allow, protocol: 112}, \
         {action: Allow, protocol: SCTP, destination: {ports: [5000]}}";
    daemon.replace(&[
        eth0(),
        policy("some", &format!("types: [Ingress], ingress: [{rules}]")),
    ]);
    check(true, false, [true, false]);
}
