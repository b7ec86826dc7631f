//! The connection table on real traffic (section 12).

use std::time::Duration;

use crate::{Fixture, fixture};
use hep_tests::{
    address::Net,
    link::Link,
    packet::{self, ACK, FIN, RST, SYN},
    policy::{eth0, felix, policy},
    probe::{
        Connection,
        Heard::{Answer, Nothing},
        PATIENCE, SILENCE, tcp, udp,
    },
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC},
};

fn web() -> String {
    policy(
        "web",
        "types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]",
    )
}

/// Sends a segment with these ports to the host and returns whether its stack answered with RST, which it
/// does to everything but RST that fits no socket.
fn is_answered(
    link: &Link,
    net: &Net,
    [sport, dport]: [u16; 2],
    flags: u8,
    limit: Duration,
) -> bool {
    let segment = packet::tcp(net.client, net.host)
        .sport(sport)
        .dport(dport)
        .flags(flags);
    link.drain();
    link.send(&segment.ethernet(OUTSIDE_MAC, HOST_MAC).frame());
    // Without options or extension headers.
    let header = 14 + if net.host.is_ipv4() { 20 } else { 40 };
    link.receive(limit, |frame| {
        let at = |from: usize, to: usize| frame.get(header + from..header + to);
        // Connections of other tests may still be ending.
        frame.starts_with(&OUTSIDE_MAC)
            && at(0, 2) == Some(&dport.to_be_bytes())
            && at(2, 4) == Some(&sport.to_be_bytes())
            && at(13, 14).is_some_and(|flags| flags[0] & RST != 0)
    })
    .is_some()
}

/// EV-256: a lone ACK is picked up if policy allows it, other segments that open nothing are invalid
/// (EV-157).
#[test]
fn ev_256_an_ack_without_a_flow_is_picked_up_and_a_fin_is_not() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    let segments = [
        ("ACK to 80", ACK, 80, true),
        ("ACK to 81", ACK, 81, false),
        ("FIN", FIN, 80, false),
        ("FIN and ACK", FIN | ACK, 80, false),
        ("SYN and ACK", SYN | ACK, 80, false),
        ("no flags", 0, 80, false),
    ];
    let check = |policed: bool| {
        for net in Net::both() {
            for (number, (what, flags, port, passes)) in (0..).zip(segments) {
                // A port of its own for each, so that none meets the flow of another.
                let ports = [50_000 + number, port];
                // A segment without ACK, SYN and RST gets no answer from a closed port.
                if !policed && flags == 0 {
                    continue;
                }
                let wanted = passes || !policed;
                let limit = if wanted { PATIENCE } else { SILENCE };
                assert_eq!(
                    is_answered(&link, &net, ports, flags, limit),
                    wanted,
                    "{what} at {}, policed: {policed}",
                    net.host
                );
            }
        }
    };
    check(false);
    daemon.replace(&[eth0(), web()]);
    check(true);
}

/// EV-156: a RST that the host's stack does not believe kills no flow.
#[test]
fn a_forged_reset_or_syn_does_not_end_a_flow() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let link = Link::open(&topology.outside, "eth0");
    daemon.replace(&[eth0(), web()]);
    for net in Net::both() {
        topology.expect(
            "the policy is in force",
            &[(tcp(net.client, net.host, 81), Nothing)],
        );
        let mut connection = Connection::open(topology, net.client, net.host, 80);
        let forged = packet::tcp(net.client, net.host)
            .sport(connection.client_port())
            .dport(80)
            .ethernet(OUTSIDE_MAC, HOST_MAC);
        link.send(&forged.clone().flags(RST).frame());
        link.send(&forged.flags(SYN).frame());
        for _ in 0..3 {
            assert!(connection.forth(PATIENCE) && connection.back(PATIENCE));
        }
    }
}

/// EV-154, RS-190: a UDP flow ends with its idle time; the answer that comes later is a new flow of
/// the other direction.
#[test]
fn an_idle_flow_expires_at_its_next_packet() {
    let mut fixture = fixture();
    let Fixture { topology, daemon } = &mut *fixture;
    let timeouts = felix("bpfConntrackTimeouts: {udpTimeout: 5s}");
    let echo = policy(
        "echo",
        "types: [Ingress], ingress: [{action: Allow, protocol: UDP, destination: {ports: [5000]}}]",
    );
    daemon.replace(&[eth0(), echo, timeouts]);
    for net in Net::both() {
        topology.expect("at once", &[(udp(net.client, net.host, 5000), Answer)]);
        let request = packet::udp(net.client, net.host)
            .sport(7777)
            .dport(5000)
            .ethernet(OUTSIDE_MAC, HOST_MAC);
        let link = Link::open(&topology.outside, "eth0");
        let server = topology
            .host
            .bind(|| std::net::UdpSocket::bind((net.host, 5000)));
        link.send(&request.frame());
        server
            .set_read_timeout(Some(PATIENCE))
            .expect("set a timeout");
        let (_, from) = server.recv_from(&mut [0; 64]).expect("the request arrives");
        let answer = Receiver::raw(&topology.outside, net.client, 17);
        server.send_to(b"in time", from).expect("send");
        assert!(
            answer
                .receive(PATIENCE, |data| data.ends_with(b"in time"))
                .is_some(),
            "in time"
        );
        std::thread::sleep(Duration::from_millis(5500));
        drop(server.send_to(b"too late", from));
        assert!(
            answer
                .receive(SILENCE, |data| data.ends_with(b"too late"))
                .is_none(),
            "too late"
        );
    }
}
