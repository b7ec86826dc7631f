//! Connections that hep has not seen begin: from before an interface came under policy (EV-158), or
//! forgotten while both ends still have them (EV-264).

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use hep_common::{grace::GRACE_NS, protocol};
use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    packet::{self, ACK, FIN, Packet},
    policy::{endpoint, eth0, felix, policy, resource},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, listen, tcp,
    },
    receiver::Receiver,
    topology::{HOST_INSIDE_MAC, INSIDE_MAC, Topology},
};

use crate::{Fixture, fixture, pass_freely};

/// The idle time of the tests' connections: longer than `tcpEstablished`.
const IDLE: Duration = Duration::from_millis(3500);

/// Both interfaces of the host.
fn everywhere() -> String {
    endpoint("h1", "interfaceName: '*'")
}

/// An endpoint of eth0 on another node.
fn elsewhere() -> String {
    resource(
        "HostEndpoint",
        "h2-eth0",
        "role: host",
        "node: h2, interfaceName: eth0",
    )
}

/// Lets TCP to a port in where that is open, and out to another.
fn in_and_out(inward: u16, outward: u16) -> String {
    policy(
        "in-and-out",
        &format!(
            "types: [Ingress, Egress], \
             ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{inward}]}}}}], \
             egress: [{{action: Allow, protocol: TCP, destination: {{ports: [{outward}]}}}}]"
        ),
    )
}

/// Lets TCP to a port through the host.
fn through(port: u16) -> String {
    policy(
        "through",
        &format!(
            "applyOnForward: true, types: [Ingress, Egress], \
             ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}], \
             egress: [{{action: Allow, protocol: TCP, destination: {{ports: [{port}]}}}}]"
        ),
    )
}

/// Connections that stay open, with those who accepted them.
struct Kept {
    connections: Vec<(&'static str, Connection)>,
    _listeners: Vec<TcpListener>,
}

impl Kept {
    /// Four connections to the host and four it has opened, for each family.
    fn open(topology: &Topology, inward: u16, outward: u16) -> Self {
        let mut kept = Self {
            connections: Vec::new(),
            _listeners: Vec::new(),
        };
        for net in Net::both() {
            for (what, from, to, port) in [
                ("in", net.client, net.host, inward),
                ("out", net.host, net.client, outward),
            ] {
                let listener = listen(topology, to, port);
                for _ in 0..4 {
                    let connection = Connection::accepted_by(&listener, topology, from);
                    kept.connections.push((what, connection));
                }
                kept._listeners.push(listener);
            }
        }
        kept
    }

    /// How many have a flow.
    fn known(&self, daemon: &Daemon) -> usize {
        let ports = self.connections.iter();
        let ports: Vec<_> = ports
            .map(|(_, kept)| u64::from(kept.client_port()))
            .collect();
        let flows = daemon.show("conntrack");
        let flows = flows.as_array().expect("flows are a list").iter();
        let opened_by_them = flows.filter(|flow| {
            let port = flow["opener"]["port"].as_u64().expect("ports are numbers");
            ports.contains(&port)
        });
        opened_by_them.count()
    }

    /// Uses each in its own way: after a while one end or the other sends first, data or the end of the
    /// stream. Returns whether each continued.
    fn speak(&mut self, limit: Duration) -> Vec<(&'static str, bool)> {
        let mut fared = Vec::new();
        for (number, (what, connection)) in self.connections.iter_mut().enumerate() {
            let goes_on = match number % 4 {
                0 => connection.forth(limit) && connection.back(limit),
                1 => connection.back(limit) && connection.forth(limit),
                2 => connection.ends(limit),
                _ => connection.back(limit) && connection.ends(limit),
            };
            fared.push((*what, goes_on));
        }
        fared
    }
}

/// Packets that hep dropped, or noted, over all interfaces and directions, by reason.
fn counted(daemon: &Daemon, wanted: impl Fn(&str, &str) -> bool) -> u64 {
    let counters = daemon.show("counters");
    let rows = counters.as_array().expect("counters are a list");
    rows.iter()
        .filter(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or_default();
            wanted(text("verdict"), text("reason"))
        })
        .map(|row| row["packets"].as_u64().unwrap_or(0))
        .sum()
}

/// EV-264: whichever end sends first, whatever it sends, whoever opened the connection; and no other
/// connection profits.
#[test]
fn ev_264_a_connection_that_is_idle_for_too_long_goes_on_while_the_host_has_it() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 81), Nothing),
            (tcp(net.host, net.client, 80), Nothing),
        ]
    });
    pass_freely(topology, &probes);
    let forgetful = felix("bpfConntrackTimeouts: {tcpEstablished: 3s}");
    daemon.replace(&[eth0(), in_and_out(80, 81), forgetful]);
    let mut kept = Kept::open(topology, 80, 81);
    // The kernel's own look at connections from before is over then, too.
    thread::sleep(Duration::from_nanos(GRACE_NS).max(IDLE));
    assert_eq!(kept.known(daemon), 0, "all are forgotten");
    let before = counted(daemon, |_, reason| reason == "picked_up");
    let fared = kept.speak(PATIENCE);
    assert!(fared.iter().all(|(_, goes_on)| *goes_on), "{fared:?}");
    let picked_up = counted(daemon, |_, reason| reason == "picked_up") - before;
    assert_eq!(picked_up, fared.len() as u64, "each was found once");
    topology.expect("other connections", &probes);
}

/// EV-264: the rules in force judge the packet that opened the connection.
#[test]
fn ev_264_an_idle_connection_that_policy_no_longer_allows_is_lost() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let forgetful = felix("bpfConntrackTimeouts: {tcpEstablished: 3s}");
    daemon.replace(&[eth0(), in_and_out(80, 81), forgetful.clone()]);
    let mut kept = Kept::open(topology, 80, 81);
    thread::sleep(Duration::from_nanos(GRACE_NS).max(IDLE));
    // Only outward, and with the ports of the other direction.
    daemon.replace(&[eth0(), in_and_out(81, 81), forgetful]);
    let fared = kept.speak(SILENCE);
    for (what, goes_on) in fared {
        assert_eq!(goes_on, what == "out", "{what}");
    }
}

/// EV-158: when the first endpoint is added at run time, connections of this host continue, whatever its
/// policy is, and no other one comes about.
#[test]
fn connections_from_before_the_first_endpoint_go_on() {
    let topology = Topology::new();
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.host, 80), Nothing),
            (tcp(net.host, net.client, 81), Nothing),
        ]
    });
    pass_freely(&topology, &probes);
    let mut daemon = Daemon::start(&topology.host, &[elsewhere()]);
    let mut kept = Kept::open(&topology, 82, 83);
    let mut silent = Kept::open(&topology, 84, 85);
    daemon.replace(&[eth0()]);
    let fared = kept.speak(PATIENCE);
    assert!(fared.iter().all(|(_, goes_on)| *goes_on), "{fared:?}");
    let dropped = counted(&daemon, |verdict, _| verdict == "deny");
    assert_eq!(dropped, 0, "{:#}", daemon.show("counters"));
    topology.expect("new connections", &probes);
    thread::sleep(Duration::from_nanos(GRACE_NS));
    let fared = silent.speak(PATIENCE);
    assert!(fared.iter().all(|(_, goes_on)| *goes_on), "{fared:?}");
    let shown = daemon.show("conntrack").to_string();
    assert!(shown.contains("taken over at the start"), "{shown}");
    assert!(!shown.contains("a former rule"), "{shown}");
}

/// A segment from the inside to the client, on a connection that nobody has.
fn pushed(net: &Net, [sport, dport]: [u16; 2], flags: u8) -> Packet {
    packet::tcp(net.inner, net.client)
        .sport(sport)
        .dport(dport)
        .flags(flags)
        .ethernet(INSIDE_MAC, HOST_INSIDE_MAC)
}

/// EV-158: the host forwards without the kernel's connection tracking. A connection on which only the
/// server sends is judged by the rules of the other direction, for seconds; what they do not allow stays
/// out.
#[test]
fn a_forwarded_connection_is_taken_up_from_either_end_for_a_few_seconds() {
    let topology = Topology::new();
    let probes: Vec<_> = Net::each(|net| {
        [
            (tcp(net.client, net.inner, 81), Nothing),
            (tcp(net.client, net.inner, 80), Answer),
            (tcp(net.inner, net.client, 82), Nothing),
        ]
    });
    pass_freely(&topology, &probes);
    let mut open = Net::both()
        .map(|net| [80, 81].map(|port| Connection::open(&topology, net.client, net.inner, port)));
    let daemon = Daemon::start(&topology.host, &[everywhere(), through(80)]);
    let enforced = Instant::now();
    for [allowed, other] in &mut open {
        // Without a word of the client.
        assert!(allowed.back(PATIENCE), "the server speaks");
        assert!(!other.back(SILENCE), "no rule allows it");
    }
    let inside = Link::open(&topology.inside, "eth0");
    let arrives = |net: &Net, ports: [u16; 2], flags: u8| {
        let heard = Receiver::raw(&topology.outside, net.client, protocol::TCP);
        inside.send(&pushed(net, ports, flags).frame());
        let wanted = ports[1].to_be_bytes();
        let at = if net.client.is_ipv4() { 22 } else { 2 };
        heard
            .receive(SILENCE, |data| data.get(at..at + 2) == Some(&wanted))
            .is_some()
    };
    for net in Net::both() {
        assert!(arrives(&net, [80, 5001], ACK | FIN), "the last segment");
        assert!(!arrives(&net, [81, 5002], ACK), "by no rule");
        assert!(
            !arrives(&net, [80, 5003], FIN),
            "no segment of a connection"
        );
    }
    let grace = Duration::from_nanos(GRACE_NS) + Duration::from_millis(500);
    thread::sleep(grace.saturating_sub(enforced.elapsed()));
    for net in Net::both() {
        assert!(!arrives(&net, [80, 5004], ACK), "the seconds are over");
    }
    for [allowed, _] in &mut open {
        assert!(allowed.forth(PATIENCE) && allowed.back(PATIENCE));
    }
    topology.expect("new connections", &probes);
    drop(daemon);
}

/// EV-158: an interface that comes under policy beside another one.
#[test]
fn forwarded_connections_go_on_when_a_second_interface_comes_under_policy() {
    let topology = Topology::new();
    let mut daemon = Daemon::start(&topology.host, &[eth0(), through(80)]);
    let mut open = Net::both().map(|net| Connection::open(&topology, net.client, net.inner, 80));
    let eth1 = endpoint("h1-eth1", "interfaceName: eth1");
    daemon.replace(&[eth0(), eth1, through(80)]);
    for connection in &mut open {
        assert!(connection.back(PATIENCE) && connection.forth(PATIENCE));
    }
    let dropped = counted(&daemon, |verdict, _| verdict == "deny");
    assert_eq!(dropped, 0, "{:#}", daemon.show("counters"));
}
