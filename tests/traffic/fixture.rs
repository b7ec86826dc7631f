//! The fixture of the other tests: without a daemon, everything gets through.

use std::thread;

use hep_tests::{
    address::Net,
    link::Link,
    packet,
    probe::{Connection, Heard, PATIENCE, ping, tcp, udp},
    program::program,
    receiver::Receiver,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
    tun::{self, Tun},
};

#[test]
fn every_kind_of_probe_gets_through_without_the_daemon() {
    let topology = Topology::new();
    for net in Net::both() {
        topology.expect_all(
            "no daemon",
            Heard::Answer,
            &[
                tcp(net.client, net.host, 80),
                tcp(net.host, net.client, 443),
                tcp(net.client, net.inner, 80),
                tcp(net.inner, net.client, 443),
                udp(net.member, net.host, 53),
                udp(net.client, net.inner, 5000).payload(8000),
                ping(net.client, net.host, 7),
                ping(net.host, net.client, 7),
                ping(net.client, net.inner, 9),
            ],
        );
        let mut connection = Connection::open(&topology, net.client, net.inner, 81);
        assert!(connection.forth(PATIENCE) && connection.back(PATIENCE));
    }
}

#[test]
fn crafted_frames_are_answered_without_the_daemon() {
    let topology = Topology::new();
    let link = Link::open(&topology.outside, "eth0");
    for net in Net::both() {
        let request = packet::tcp(net.client, net.host)
            .ethernet(OUTSIDE_MAC, HOST_MAC)
            .dport(81);
        link.send(&request.frame());
        let header_bytes = if net.host.is_ipv4() { 20 } else { 40 };
        let answer = link.receive(PATIENCE, |frame| {
            frame.get(14 + header_bytes + 13) == Some(&(packet::RST | packet::ACK))
        });
        assert!(
            answer.is_some(),
            "a closed port of {} answers RST",
            net.host
        );
    }
}

/// Processes that other tests start hold a socket for a moment after it was closed.
#[test]
fn an_address_is_free_again_while_processes_are_started() {
    let topology = Topology::new();
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            for _ in 0..100 {
                let status = program("true").current_dir("/").status();
                assert!(status.expect("run true").success());
            }
        });
        while !starting.is_finished() {
            for net in Net::both() {
                drop(Receiver::udp(&topology.host, net.host, 5353));
            }
        }
    });
}

#[test]
fn a_tun_device_carries_packets_both_ways() {
    let topology = Topology::new();
    let tun = Tun::new(&topology.host, "tun0");
    for ends in tun::ENDS {
        assert!(tun.is_answered(ends, 3, PATIENCE), "{ends:?}");
    }
}
