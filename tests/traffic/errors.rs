//! ICMP errors and fragments: what large packets need (EV-169, EV-173, EV-174, EV-179, EV-255).

use std::net::UdpSocket;

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    namespace::Namespace,
    packet,
    policy::{endpoint, eth0, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, tcp, udp,
    },
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};

use crate::{Fixture, fixture, judge, pass_freely};

/// The narrow link's MTU.
const NARROW_BYTES: u16 = 1300;

fn allow_udp_5000() -> String {
    policy(
        "games",
        "types: [Ingress], ingress: [{action: Allow, protocol: UDP, destination: {ports: [5000]}}]",
    )
}

/// EV-179: datagrams larger than the link pass in fragments, in both directions and families, and
/// fragments of denied ones do not.
#[test]
fn datagrams_of_8_kilobytes_pass_in_fragments() {
    judge(&[eth0(), allow_udp_5000()], |net| {
        vec![
            (udp(net.client, net.host, 5000).payload(8000), Answer),
            (udp(net.client, net.host, 5001).payload(8000), Nothing),
            (udp(net.client, net.inner, 5000).payload(8000), Answer),
        ]
    });
}

/// EV-255: three fragments in order come through whole; a second one before the first is dropped.
#[test]
fn ev_255_fragments_pass_after_their_first_and_not_before() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let receiver_of = |net: &Net| Receiver::udp(&topology.host, net.host, 5000);
    let piece = |net: &Net, identification: u32, number: u16| {
        packet::udp(net.client, net.host)
            .dport(5000)
            .payload(64)
            .identification(identification)
            .fragment(number * 24, 24, number < 2)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .frame()
    };
    let arrives = |net: &Net, identification: u32, order: [u16; 3], wanted: bool| {
        let receiver = receiver_of(net);
        for number in order {
            link.send(&piece(net, identification, number));
        }
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |_| true);
        assert_eq!(
            heard,
            wanted.then_some(64),
            "{}: fragments {order:?}",
            net.host
        );
    };
    for net in Net::both() {
        arrives(&net, 1, [0, 1, 2], true);
        arrives(&net, 2, [1, 0, 2], true);
    }
    daemon.replace(&[eth0(), allow_udp_5000()]);
    for net in Net::both() {
        arrives(&net, 3, [0, 1, 2], true);
        arrives(&net, 4, [1, 0, 2], false);
        arrives(&net, 5, [0, 2, 1], true);
    }
}

/// EV-169, EV-174: a router's "too big" reaches the sender behind a default deny, so that path MTU
/// discovery works: for the host's own flows.
#[test]
fn path_mtu_discovery_works_for_the_host_under_default_deny() {
    let topology = Topology::new();
    let far = Far::beyond_a_narrow_link(&topology);
    let allow = policy(
        "out",
        "types: [Ingress, Egress], egress: [{action: Allow, protocol: UDP}]",
    );
    let sockets = Net::both().map(|net| {
        let socket = topology.host.run(|| UdpSocket::bind((net.host, 0)));
        let socket = socket.expect("bind a socket");
        let target = (far.address(&net), 9);
        topology
            .host
            .run(|| socket.connect(target))
            .expect("connect");
        socket
    });
    let _daemon = Daemon::start(&topology.host, &[eth0(), allow]);
    for (socket, net) in sockets.iter().zip(Net::both()) {
        topology.expect_all("default deny", Nothing, &[tcp(net.client, net.host, 80)]);
        let route = |topology: &Topology| {
            topology
                .host
                .command("ip", &["route", "get", &far.address(&net).to_string()])
        };
        assert!(!route(&topology).contains("mtu"), "not yet known");
        discover(socket);
        let learnt = hep_tests::eventually(PATIENCE, || {
            route(&topology).contains(&format!("mtu {NARROW_BYTES}"))
        });
        assert!(learnt, "{}: {}", net.host, route(&topology));
    }
}

/// Sends a datagram that fits the first link and not the narrow one, not to be fragmented.
fn discover(socket: &UdpSocket) {
    let payload = [0; 1400];
    // The second send may report the error that the first one caused: that is the point.
    for _ in 0..2 {
        drop(socket.send(&payload));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A machine behind the outside one, over a link with a smaller MTU.
struct Far {
    _namespace: Namespace,
}

impl Far {
    fn beyond_a_narrow_link(topology: &Topology) -> Self {
        let namespace = Namespace::new("far");
        topology.outside.ip(&format!(
            "link add far0 type veth peer name eth0 netns {}\n\
             link set far0 mtu {NARROW_BYTES} up\n\
             address add 198.18.0.1/24 dev far0\naddress add 2001:db8:f::1/64 dev far0",
            namespace.name()
        ));
        namespace.ip(&format!(
            "link set eth0 mtu {NARROW_BYTES} up\n\
             address add 198.18.0.2/24 dev eth0\naddress add 2001:db8:f::2/64 dev eth0\n\
             route add default via 198.18.0.1\nroute add default via 2001:db8:f::1"
        ));
        topology.outside.sysctl("net/ipv4/ip_forward", "1");
        topology.outside.sysctl("net/ipv6/conf/all/forwarding", "1");
        Self {
            _namespace: namespace,
        }
    }

    fn address(&self, net: &Net) -> std::net::IpAddr {
        let text = if net.host.is_ipv4() {
            "198.18.0.2"
        } else {
            "2001:db8:f::2"
        };
        text.parse().expect("a literal address")
    }
}

/// EV-170, EV-173, EV-174: an error passes only about a known flow, and only to its sender.
#[test]
fn icmp_errors_pass_only_about_known_flows() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let check = |policed: bool| {
        for net in Net::both() {
            let connection = Connection::open(topology, net.client, net.host, 80);
            let (protocol, kind) = if net.host.is_ipv4() { (1, 3) } else { (58, 1) };
            let receiver = Receiver::raw(&topology.host, net.host, protocol);
            let flow = packet::tcp(net.host, net.client)
                .sport(80)
                .dport(connection.client_port())
                .flags(packet::ACK);
            let other = flow.clone().sport(81);
            for (what, about, passes) in [("known", flow, true), ("unknown", other, false)] {
                let error = packet::icmp_error(net.client, kind, 1, &about, 64)
                    .ethernet(OUTSIDE_MAC, HOST_MAC);
                link.send(&error.frame());
                let wanted = passes || !policed;
                let limit = if wanted { PATIENCE } else { SILENCE };
                let header_bytes = if net.host.is_ipv4() { 20 } else { 0 };
                let heard =
                    receiver.receive(limit, |packet| packet.get(header_bytes) == Some(&kind));
                assert_eq!(
                    heard.is_some(),
                    wanted,
                    "{} {what}, policed: {policed}",
                    net.host
                );
            }
        }
    };
    check(false);
    let web = policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    );
    daemon.replace(&[eth0(), web]);
    check(true);
}

/// EV-184: tagged frames are left to the VLAN's own interface; a priority tag (VLAN 0) changes
/// nothing.
#[test]
fn vlan_tagged_frames_are_not_policed_and_priority_tagged_ones_are() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let sniffer = Link::open(&topology.host, "eth0");
    let arrives = |net: &Net, tag: u16, wanted: bool| {
        let receiver = Receiver::udp(&topology.host, net.host, 5000);
        let frame = packet::udp(net.client, net.host)
            .dport(5000)
            .vlan(tag)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .frame();
        link.send(&frame);
        let limit = if wanted { PATIENCE } else { SILENCE };
        let heard = receiver.receive(limit, |_| true).is_some();
        assert_eq!(heard, wanted, "{} tag {tag}", net.host);
    };
    for net in Net::both() {
        arrives(&net, 0, true);
    }
    daemon.replace(&[endpoint("h1-eth0", "interfaceName: eth0")]);
    for net in Net::both() {
        arrives(&net, 0, false);
        let before = counted(daemon, "vlan");
        let frame = packet::udp(net.client, net.host)
            .vlan(100)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .frame();
        link.send(&frame);
        let counted = hep_tests::eventually(PATIENCE, || counted(daemon, "vlan") > before);
        assert!(counted, "{}: {}", net.host, daemon.show("counters"));
    }
    drop(sniffer);
}

/// Packets counted under a reason, over all interfaces and directions.
fn counted(daemon: &Daemon, reason: &str) -> u64 {
    fn sum(value: &serde_json::Value, reason: &str) -> u64 {
        match value {
            serde_json::Value::Object(fields) => {
                let own = if fields.get("reason").and_then(|r| r.as_str()) == Some(reason) {
                    fields.get("packets").and_then(|p| p.as_u64()).unwrap_or(0)
                } else {
                    0
                };
                own + fields.values().map(|field| sum(field, reason)).sum::<u64>()
            }
            serde_json::Value::Array(items) => items.iter().map(|item| sum(item, reason)).sum(),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => 0,
        }
    }
    sum(&daemon.show("counters"), reason)
}

/// EV-070: a connection that was established before the daemon's cold start continues (EV-158).
#[test]
fn connections_from_before_the_cold_start_go_on() {
    let topology = Topology::new();
    let probes = Net::both().map(|net| (tcp(net.client, net.host, 80), Nothing));
    pass_freely(&topology, &probes);
    let mut connections = Net::both()
        .map(|net| [22, 80].map(|port| Connection::open(&topology, net.client, net.host, port)));
    let _daemon = Daemon::start(&topology.host, &[eth0()]);
    for [ssh, web] in &mut connections {
        assert!(ssh.forth(PATIENCE) && ssh.back(PATIENCE), "a failsafe port");
        assert!(web.forth(PATIENCE) && web.back(PATIENCE), "seeded");
    }
    topology.expect("new flows", &probes);
}
