//! Failsafe ports (section 7).

use std::{net::TcpListener, thread, time::Duration};

use hep_common::grace::GRACE_NS;
use hep_tests::{
    address::Net,
    link::Link,
    packet::{self, ACK},
    policy::{eth0, eth0_default_allow, felix, no_failsafe, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, tcp, udp,
    },
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC},
};

use crate::{Fixture, fixture, judge};

fn deny_all() -> String {
    policy(
        "none",
        "types: [Ingress, Egress], ingress: [{action: Deny}], egress: [{action: Deny}]",
    )
}

/// EV-063 to EV-067: the default lists, in both directions, with their replies, whatever the policy.
#[test]
fn failsafe_ports_survive_a_deny_of_everything() {
    judge(&[eth0(), deny_all()], |net| {
        vec![
            (tcp(net.client, net.host, 22), Answer),
            (tcp(net.client, net.host, 6443), Answer),
            (tcp(net.client, net.host, 23), Nothing),
            (udp(net.client, net.host, 22), Nothing),
            (udp(net.host, net.client, 53), Answer),
            (tcp(net.host, net.client, 2379), Answer),
            (tcp(net.host, net.client, 22), Nothing),
        ]
    });
}

/// EV-064, EV-065: an entry's net is the other end's address.
#[test]
fn failsafe_nets_limit_the_other_end() {
    let entries = |port: u16| -> String {
        Net::both()
            .iter()
            .map(|net| {
                format!(
                    "{{protocol: TCP, port: {port}, net: '{}'}}",
                    net.prefix(net.member)
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    };
    let felix = felix(&format!(
        "failsafeInboundHostPorts: [{}], failsafeOutboundHostPorts: [{}]",
        entries(2222),
        entries(3333)
    ));
    judge(&[eth0(), deny_all(), felix], |net| {
        vec![
            (tcp(net.member, net.host, 2222), Answer),
            (tcp(net.client, net.host, 2222), Nothing),
            (tcp(net.host, net.member, 3333), Answer),
            (tcp(net.host, net.client, 3333), Nothing),
            (tcp(net.client, net.host, 22), Nothing),
        ]
    });
}

/// EV-074: empty lists leave nothing open.
#[test]
fn empty_failsafe_lists_close_the_failsafe_ports() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let probes = |heard| Net::both().map(|net| (tcp(net.client, net.host, 22), heard));
    daemon.replace(&[eth0(), deny_all()]);
    topology.expect("default lists", &probes(Answer));
    daemon.replace(&[eth0(), deny_all(), no_failsafe()]);
    topology.expect("empty lists", &probes(Nothing));
}

/// EV-070: a connection to or from a failsafe port whose flow was deleted continues with whichever end
/// sends first: to the port because a failsafe covers the packet, from it because this host has the very
/// socket. A stray segment from the port has none, and without the failsafe nothing helps.
#[test]
fn ev_070_connections_of_failsafe_ports_outlive_their_flows() {
    const IDLE: Duration = Duration::from_secs(1);
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let timeouts = |failsafes: &str| {
        felix(&format!(
            "bpfConntrackTimeouts: {{tcpEstablished: 1s, tcpSynSent: 1s}}{failsafes}"
        ))
    };
    let link = Link::open(&topology.outside, "eth0");
    // Once it is over, nothing passes for being from before the policy (EV-158).
    daemon.replace(&[eth0_default_allow()]);
    thread::sleep(Duration::from_nanos(GRACE_NS));
    for (failsafes, lives) in [
        ("", true),
        (
            ", failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []",
            false,
        ),
    ] {
        daemon.replace(&[eth0_default_allow()]);
        // To the host's port 22, and to port 2379 of somebody else.
        let mut inbound =
            Net::both().map(|net| Connection::open(topology, net.client, net.host, 22));
        let mut outbound =
            Net::both().map(|net| Connection::open(topology, net.host, net.client, 2379));
        daemon.replace(&[eth0(), deny_all(), timeouts(failsafes)]);
        let limit = if lives { PATIENCE } else { SILENCE };
        let told = |heard: bool, what: &str| assert_eq!(heard, lives, "{what}{failsafes}");
        // Each time, all flows are forgotten meanwhile.
        thread::sleep(IDLE + IDLE / 2);
        for (inbound, outbound) in inbound.iter_mut().zip(&mut outbound) {
            told(inbound.back(limit), "egress from port 22");
            told(outbound.back(limit), "ingress from port 2379");
        }
        thread::sleep(IDLE + IDLE / 2);
        for (inbound, outbound) in inbound.iter_mut().zip(&mut outbound) {
            told(inbound.forth(limit), "ingress to port 22");
            told(outbound.forth(limit), "egress to port 2379");
        }
    }
    daemon.replace(&[eth0(), deny_all()]);
    for net in Net::both() {
        // No socket but a listening one has this port.
        let _listener = topology.host.bind(|| TcpListener::bind((net.host, 4444)));
        let receiver = Receiver::raw(&topology.host, net.host, 6);
        let [from, to] = [2379_u16, 4444];
        let stray = packet::tcp(net.client, net.host)
            .sport(from)
            .dport(to)
            .flags(ACK);
        link.send(&stray.ethernet(OUTSIDE_MAC, HOST_MAC).frame());
        // Raw IPv4 sockets hand over the IP header, too. The connections above may still be ending.
        let ports = if net.host.is_ipv4() { 20 } else { 0 };
        let wanted = [from.to_be_bytes(), to.to_be_bytes()].concat();
        assert!(
            receiver
                .receive(SILENCE, |packet| packet.get(ports..ports + 4)
                    == Some(&wanted[..]))
                .is_none(),
            "{}",
            net.host
        );
    }
}
