//! Packets as the kernel hands them over: aggregated, or scattered over pages (EV-185, EV-186).

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::{Link, Offload},
    packet::{self, ACK, Mac, PSH, Packet},
    policy::{eth0, policy},
    probe::{PATIENCE, SILENCE},
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

/// Payload of an aggregate of TCP segments.
const AGGREGATE_BYTES: usize = 20_000;
/// Payload of one of its segments.
const SEGMENT_BYTES: u16 = 1_000;
/// Payload of a datagram that takes more than a page.
const DATAGRAM_BYTES: usize = 6_000;
/// An MTU that lets it pass whole.
const MTU: u16 = 9_000;

fn web() -> String {
    policy(
        "web",
        "types: [Ingress, Egress], ingress: [\
         {action: Allow, protocol: TCP, destination: {ports: [80]}}, \
         {action: Allow, protocol: UDP, destination: {ports: [80]}}], \
         egress: [{action: Allow, protocol: TCP, source: {ports: [80]}}, \
         {action: Allow, protocol: UDP, source: {ports: [80]}}]",
    )
}

/// Bytes of an IP header without options.
fn ip_bytes(net: &Net) -> u16 {
    if net.host.is_ipv4() { 20 } else { 40 }
}

/// Packets and bytes that `eth0` counted under `reason` in `direction`.
fn counted(daemon: &Daemon, direction: &str, reason: &str) -> (u64, u64) {
    let counters = daemon.show("counters");
    let count = counters.as_array().into_iter().flatten().find(|count| {
        count["interface"] == "eth0" && count["direction"] == direction && count["reason"] == reason
    });
    count.map_or((0, 0), |count| {
        let number = |field: &str| count[field].as_u64().expect("a counter");
        (number("packets"), number("bytes"))
    })
}

/// The ends of a way into the host or out of it.
struct Way<'a> {
    direction: &'static str,
    link: Link,
    macs: (Mac, Mac),
    /// Turns a packet that comes in into one that goes this way.
    turn: fn(Packet) -> Packet,
    far: &'a hep_tests::namespace::Namespace,
}

/// Into the host from its peer, and out of it.
fn ways(topology: &Topology) -> [Way<'_>; 2] {
    [
        Way {
            direction: "ingress",
            link: Link::open(&topology.outside, "eth0"),
            macs: (OUTSIDE_MAC, HOST_MAC),
            turn: |packet| packet,
            far: &topology.host,
        },
        Way {
            direction: "egress",
            link: Link::open(&topology.host, "eth0"),
            macs: (HOST_MAC, OUTSIDE_MAC),
            turn: Packet::reversed,
            far: &topology.outside,
        },
    ]
}

impl Way<'_> {
    /// Sends a packet to its end; whether it arrives there in one piece of `bytes`, without the
    /// IPv4 header that raw sockets hand over and without the transport header.
    fn arrives(
        &self,
        protocol: u8,
        packet: Packet,
        offload: Offload,
        (bytes, wanted): (usize, bool),
    ) -> bool {
        let packet = (self.turn)(packet).ethernet(self.macs.0, self.macs.1);
        let receiver = Receiver::raw(self.far, packet.source(), protocol);
        self.link.send_offloaded(offload, &packet.frame());
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |data| data.len() >= bytes);
        heard.is_some()
    }
}

/// EV-185: an aggregate of TCP segments is judged once, at both hooks, and counted with all its
/// bytes.
#[test]
fn an_aggregated_packet_is_judged_once_and_counted_whole() {
    let topology = Topology::new();
    let segments = |net: &Net, port: u16| {
        packet::tcp(net.client, net.host)
            .dport(port)
            .flags(ACK | PSH)
            .payload(AGGREGATE_BYTES)
    };
    let ways = ways(&topology);
    let arrives = |way: &Way<'_>, net: &Net, port: u16, wanted: bool| {
        let offload = Offload::tcp(ip_bytes(net), SEGMENT_BYTES);
        let got = way.arrives(6, segments(net, port), offload, (AGGREGATE_BYTES, wanted));
        assert_eq!(got, wanted, "{} {} port {port}", way.direction, net.host);
    };
    for (way, net) in ways
        .iter()
        .flat_map(|way| Net::both().map(|net| (way, net)))
    {
        arrives(way, &net, 80, true);
        arrives(way, &net, 81, true);
    }
    let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    for (way, net) in ways
        .iter()
        .flat_map(|way| Net::both().map(|net| (way, net)))
    {
        let frame_bytes = u64::try_from(segments(&net, 80).frame().len()).expect("it fits");
        // The flow of the packet that went the other way is known.
        let known = if way.direction == "egress" {
            "established"
        } else {
            "policy_allow"
        };
        for (port, reason, wanted) in [(80, known, true), (81, "tier_default", false)] {
            let (packets, bytes) = counted(&daemon, way.direction, reason);
            arrives(way, &net, port, wanted);
            assert_eq!(
                counted(&daemon, way.direction, reason),
                (packets + 1, bytes + frame_bytes),
                "{} {} port {port}",
                way.direction,
                net.host
            );
        }
    }
}

/// EV-186: headers are read where they lie, also behind the linear area, with options and extension
/// headers before them; one that is not there drops the packet.
#[test]
fn headers_behind_the_linear_area_are_read() {
    let topology = Topology::new();
    for namespace in [&topology.host, &topology.outside] {
        namespace.ip(&format!("link set eth0 mtu {MTU}"));
    }
    let datagram = |net: &Net, port: u16| {
        packet::udp(net.client, net.host)
            .dport(port)
            .payload(DATAGRAM_BYTES)
    };
    // Padding, in IPv4 options (four times "no operation") and in a destination options header.
    let longer = |net: &Net, port: u16| match net.host {
        std::net::IpAddr::V4(_) => datagram(net, port).options(&[1; 4]),
        std::net::IpAddr::V6(_) => datagram(net, port).extension(60, &[0, 1, 4, 0, 0, 0, 0]),
    };
    let ways = ways(&topology);
    let check = |policed: bool| {
        for (way, net) in ways
            .iter()
            .flat_map(|way| Net::both().map(|net| (way, net)))
        {
            for (packet, port) in [
                (datagram(&net, 80), 80),
                (longer(&net, 80), 80),
                (datagram(&net, 81), 81),
                (longer(&net, 81), 81),
            ] {
                let wanted = port == 80 || !policed;
                let got = way.arrives(17, packet, Offload::scattered(), (DATAGRAM_BYTES, wanted));
                assert_eq!(got, wanted, "{} {} port {port}", way.direction, net.host);
            }
        }
    };
    check(false);
    let daemon = Daemon::start(&topology.host, &[eth0(), web()]);
    check(true);
    for (way, net) in ways
        .iter()
        .flat_map(|way| Net::both().map(|net| (way, net)))
    {
        // The packet ends in the midst of the UDP header, the frame does not.
        let stated = if net.host.is_ipv4() { 24 } else { 4 };
        let broken = datagram(&net, 80).stated_length(stated);
        let reason = "truncated";
        let (packets, _) = counted(&daemon, way.direction, reason);
        assert!(!way.arrives(17, broken, Offload::scattered(), (0, false)));
        assert_eq!(
            counted(&daemon, way.direction, reason).0,
            packets + 1,
            "{} {}: {:#}",
            way.direction,
            net.host,
            daemon.show("counters")
        );
    }
}
