//! How frames are parsed, and which are invalid (section 14).

use hep_common::counter::Reason;
use hep_tests::{
    address::Net,
    bench::{Bench, EGRESS, Hook, INGRESS, Row},
    packet::{self, ACK, ETHERTYPE_ARP},
    policy::{eth0, policy},
};

/// Everything that is not UDP to port 5000 or TCP to port 80 is dropped, with a reason of its own.
pub(crate) fn bench() -> Bench {
    let rules = "{action: Allow, protocol: UDP, destination: {ports: [5000]}}, \
                 {action: Allow, protocol: TCP, destination: {ports: [80]}}";
    Bench::with(&[
        eth0(),
        policy(
            "some",
            &format!("types: [Ingress, Egress], ingress: [{rules}], egress: [{rules}]"),
        ),
    ])
}

/// The same rows at both hooks: the host's own packets at egress have its address as source.
pub(crate) fn at_both_hooks(
    bench: &mut Bench,
    rows: impl Fn(&Net, Hook) -> Vec<(&'static str, packet::Packet, Reason)>,
) {
    for net in Net::both() {
        let turned = Net {
            client: net.host,
            host: net.client,
            ..net
        };
        for (net, hook) in [(net, INGRESS), (turned, EGRESS)] {
            let rows: Vec<Row<'_>> = rows(&net, hook)
                .into_iter()
                .map(|(name, packet, reason)| (name, hook, packet, reason))
                .collect();
            bench.expect(&rows);
        }
    }
}

/// EV-163: what is not IP passes; EV-184: so does what a VLAN's own interface will judge, but VLAN 0
/// is no VLAN.
#[test]
fn frames_that_are_not_ip_or_belong_to_a_vlan_pass() {
    let mut bench = bench();
    at_both_hooks(&mut bench, |net, _| {
        let denied = || packet::tcp(net.client, net.host).dport(81);
        vec![
            ("ARP", denied().ethertype(ETHERTYPE_ARP), Reason::NonIp),
            ("LLDP", denied().ethertype(0x88cc), Reason::NonIp),
            ("spanning tree", denied().ethertype(0x0026), Reason::NonIp),
            ("MPLS", denied().ethertype(0x8847), Reason::NonIp),
            ("VLAN 100", denied().vlan(100), Reason::Vlan),
            ("VLAN 4095", denied().vlan(4095), Reason::Vlan),
            ("priority tag", denied().vlan(0), Reason::TierDefault),
            (
                "priority 7 and VLAN 0",
                denied().vlan(0xe000),
                Reason::TierDefault,
            ),
            (
                "priority tag, allowed",
                denied().vlan(0).dport(80),
                Reason::PolicyAllow,
            ),
            (
                "two tags, inner 100",
                denied().vlan(0).vlan(100),
                Reason::Vlan,
            ),
            ("untagged", denied(), Reason::TierDefault),
        ]
    });
}

/// EV-180, EV-182: header lengths and total lengths.
#[test]
fn headers_that_contradict_themselves_or_the_frame_are_dropped() {
    let mut bench = bench();
    let host = bench_net(0);
    let udp = || packet::udp(host.client, host.host).dport(5000);
    let rows = [
        ("options", udp().options(&[1, 1, 1, 1]), Reason::PolicyAllow),
        ("all options", udp().options(&[1; 40]), Reason::PolicyAllow),
        (
            "source routing",
            udp().options(&[131, 7, 4, 192, 0, 2, 1, 0]),
            Reason::PolicyAllow,
        ),
        (
            "header of 4 words",
            udp().stated_header_words(4),
            Reason::BadHeader,
        ),
        (
            "header of 0 words",
            udp().stated_header_words(0),
            Reason::BadHeader,
        ),
        (
            "version 6 in IPv4",
            udp().stated_version(6),
            Reason::BadHeader,
        ),
        ("version 0", udp().stated_version(0), Reason::BadHeader),
        (
            "total length too large",
            udp().stated_length(37),
            Reason::BadHeader,
        ),
        (
            "total length below the header",
            udp().stated_length(19),
            Reason::BadHeader,
        ),
        ("total length 0", udp().stated_length(0), Reason::BadHeader),
        ("Ethernet padding", udp().trailer(18), Reason::PolicyAllow),
    ];
    bench.expect(&rows.map(|(name, packet, reason)| (name, INGRESS, packet, reason)));

    let host = bench_net(1);
    let udp = || packet::udp(host.client, host.host).dport(5000);
    let rows = [
        (
            "version 4 in IPv6",
            udp().stated_version(4),
            Reason::BadHeader,
        ),
        (
            "payload length too large",
            udp().stated_length(17),
            Reason::BadHeader,
        ),
        ("Ethernet padding", udp().trailer(18), Reason::PolicyAllow),
    ];
    bench.expect(&rows.map(|(name, packet, reason)| (name, INGRESS, packet, reason)));
}

pub(crate) fn bench_net(number: usize) -> Net {
    Net::both()[number]
}

/// EV-181: how much of a transport header must be there.
#[test]
fn transport_headers_must_be_whole() {
    let mut bench = bench();
    at_both_hooks(&mut bench, |net, _| {
        let (client, host) = (net.client, net.host);
        let icmp = if client.is_ipv4() { 1 } else { 58 };
        vec![
            (
                "TCP, 19 bytes",
                packet::protocol(client, host, 6, 19),
                Reason::Truncated,
            ),
            (
                "UDP, 7 bytes",
                packet::protocol(client, host, 17, 7),
                Reason::Truncated,
            ),
            (
                "UDPLite, 7 bytes",
                packet::protocol(client, host, 136, 7),
                Reason::Truncated,
            ),
            (
                "ICMP, 7 bytes",
                packet::protocol(client, host, icmp, 7),
                Reason::Truncated,
            ),
            (
                "SCTP, 11 bytes",
                packet::protocol(client, host, 132, 11),
                Reason::Truncated,
            ),
            (
                "SCTP, 12 bytes",
                packet::protocol(client, host, 132, 12),
                Reason::InvalidSctp,
            ),
            (
                "DCCP, 11 bytes",
                packet::protocol(client, host, 33, 11),
                Reason::Truncated,
            ),
            (
                "DCCP, 12 bytes",
                packet::protocol(client, host, 33, 12),
                Reason::TierDefault,
            ),
            (
                "GRE, nothing",
                packet::protocol(client, host, 47, 0),
                Reason::TierDefault,
            ),
            (
                "253, 1 byte",
                packet::protocol(client, host, 253, 1),
                Reason::TierDefault,
            ),
        ]
    });
}

/// EV-183: extension headers are walked, 8 of them at most.
#[test]
fn extension_headers_are_walked() {
    let mut bench = bench();
    let net = bench_net(1);
    let udp = || packet::udp(net.client, net.host).dport(5000);
    let header = |rest: usize| vec![0; rest];
    let padded = |length: u8| {
        let mut rest = vec![length];
        rest.resize(usize::from(length) * 8 + 7, 0);
        rest
    };
    let eight = (0..8).fold(udp(), |packet, _| packet.extension(60, &padded(0)));
    let mut routing_0 = padded(0);
    routing_0[1] = 0;
    let mut routing_2 = padded(0);
    routing_2[1] = 2;
    let mut ah = vec![4];
    ah.resize(6 * 4 - 1, 0);
    let rows = [
        (
            "hop-by-hop",
            udp().extension(0, &padded(0)),
            Reason::PolicyAllow,
        ),
        (
            "hop-by-hop, 24 bytes",
            udp().extension(0, &padded(2)),
            Reason::PolicyAllow,
        ),
        (
            "destination options",
            udp().extension(60, &padded(1)),
            Reason::PolicyAllow,
        ),
        (
            "routing type 2",
            udp().extension(43, &routing_2),
            Reason::PolicyAllow,
        ),
        (
            "routing type 0",
            udp().extension(43, &routing_0),
            Reason::RoutingHeader,
        ),
        ("AH in words", udp().extension(51, &ah), Reason::PolicyAllow),
        (
            "mobility",
            udp().extension(135, &padded(0)),
            Reason::PolicyAllow,
        ),
        ("HIP", udp().extension(139, &padded(0)), Reason::PolicyAllow),
        (
            "shim6",
            udp().extension(140, &padded(0)),
            Reason::PolicyAllow,
        ),
        ("8 headers", eight.clone(), Reason::PolicyAllow),
        (
            "9 headers",
            eight.extension(60, &padded(0)),
            Reason::ExtensionHeaders,
        ),
        (
            "ESP is an upper layer",
            packet::protocol(net.client, net.host, 50, 16),
            Reason::TierDefault,
        ),
        (
            "no next header is an upper layer",
            packet::protocol(net.client, net.host, 59, 0).extension(60, &padded(0)),
            Reason::TierDefault,
        ),
        (
            "header beyond the packet",
            packet::protocol(net.client, net.host, 17, 0).extension(60, &header(3)),
            Reason::Truncated,
        ),
        (
            "header longer than the packet",
            udp().extension(60, &[40, 0, 0, 0, 0, 0, 0]),
            Reason::Truncated,
        ),
    ];
    bench.expect(&rows.map(|(name, packet, reason)| (name, INGRESS, packet, reason)));
}

/// EV-004, EV-061: an interface without an endpoint is not policed.
#[test]
fn interfaces_without_an_endpoint_are_not_policed() {
    let mut bench = bench();
    for net in Net::both() {
        let denied = packet::tcp(net.inner, net.host_inside).dport(81).flags(ACK);
        bench.expect(&[("eth1", Hook::ingress("eth1"), denied, Reason::Unpoliced)]);
    }
}
