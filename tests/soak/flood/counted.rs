//! Floods of a given number of flows: required packets arrive, and full tables deny nothing.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    policy::{eth0, felix, policy},
    probe::listen,
    topology::Topology,
};

use super::{
    Plan,
    kinds::{Flows, Kind, PORT, Source},
};
use crate::{
    figure::Figures,
    idle::{self, End, Idle},
    queues, streams,
};

/// Runs the three parts.
pub(super) fn run(plan: &Plan, figures: &mut Figures) {
    floods(plan, figures);
    answered(plan, figures);
    full_tables(plan, figures);
}

/// Lets connections and datagrams in to the ports of the soak, nothing else in, and nothing out
/// but answers.
fn allow() -> [String; 2] {
    let ports = format!("destination: {{ports: [{PORT}, {}]}}", idle::PORT);
    let rules = ["TCP", "UDP"]
        .map(|protocol| format!("{{action: Allow, protocol: {protocol}, {ports}}}"))
        .join(", ");
    [
        eth0(),
        policy(
            "web",
            &format!("types: [Ingress, Egress], ingress: [{rules}]"),
        ),
    ]
}

fn floods(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let daemon = Daemon::start(&topology.host, &allow());
    let connections = Idle::to_host(&topology, plan.connections);
    // The flooded port has a server, which answers each SYN.
    let _servers = Net::both().map(|net| listen(&topology, net.host, PORT));

    let rate = send(&topology, Kind::SynOpen, plan.syns, || {});
    figures.tell("SYNs from as many sources", plan.syns);
    figures.tell("SYNs a second", rate);
    figures.exactly(
        "connections that pass data after the SYNs",
        connections.alive(End::Server),
        plan.connections,
    );

    let sinks = sinks(&topology);
    let dropped_before = queues::dropped(&topology);
    let mut received = 0;
    let rate = send(&topology, Kind::TwoDatagrams, plan.datagrams, || {
        for sink in &sinks {
            while sink.recv(&mut [0; 16]).is_ok() {
                received += 1;
            }
        }
    });
    figures.tell("UDP flows of one packet", plan.datagrams);
    figures.tell("UDP packets a second", rate);
    let dropped = queues::dropped(&topology) - dropped_before;
    figures.tell("of these, dropped by full queues of the kernel", dropped);
    figures.exactly(
        "UDP packets delivered, of the others",
        received,
        plan.datagrams - dropped,
    );
    figures.exactly(
        "connections that pass data after the UDP flows",
        connections.alive(End::Server),
        plan.connections,
    );
    figures.tell("flows not stored, counted", not_stored(&daemon));
}

/// A server that answers spoofed requests establishes no flow. The tables have room for the connections,
/// and for a fraction of the senders.
fn answered(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let mut resources = allow().to_vec();
    let room = 8 * plan.connections;
    resources.push(felix(&format!("bpfMapSizeConntrack: {room}")));
    let _daemon = Daemon::start(&topology.host, &resources);
    let connections = Idle::to_host(&topology, plan.connections);
    let sinks = sinks(&topology);
    let mut answers = 0;
    let rate = send(&topology, Kind::TwoDatagrams, plan.answered, || {
        let mut request = [0; 16];
        for sink in &sinks {
            while let Ok((length, from)) = sink.recv_from(&mut request) {
                answers += u64::from(sink.send_to(&request[..length], from).is_ok());
            }
        }
    });
    figures.tell("answered UDP flows", plan.answered);
    figures.tell("answered UDP flows: flows that fit into each table", room);
    figures.tell("answered UDP flows a second", rate);
    figures.at_least(
        "answers that went out",
        answers,
        u64::try_from(10 * room)
            .expect("fits")
            .min(plan.answered / 2),
    );
    figures.exactly(
        "connections that pass data after the answered UDP flows",
        connections.alive(End::Server),
        plan.connections,
    );
}

/// More connections than fit into the tables.
fn full_tables(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let mut resources = allow().to_vec();
    resources.push(felix(&format!("bpfMapSizeConntrack: {}", plan.room)));
    let daemon = Daemon::start(&topology.host, &resources);
    let connections = Idle::to_host(&topology, plan.connections);
    figures.tell("full tables: flows that fit into each", plan.room);
    figures.exactly(
        "full tables: connections that pass data",
        connections.served(),
        plan.connections,
    );
    figures.tell(
        "full tables: flows not stored, counted",
        not_stored(&daemon),
    );
}

/// Sockets of the host for the datagrams.
fn sinks(topology: &Topology) -> [UdpSocket; 2] {
    Net::both().map(|net| {
        topology
            .host
            .run(|| streams::socket(net.host, PORT))
            .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host))
    })
}

/// Sends the first packets of `count` flows from anywhere, and calls `take` again and again, to take what
/// arrives; how many a second.
fn send(topology: &Topology, kind: Kind, count: u64, mut take: impl FnMut()) -> u64 {
    let link = Link::open(&topology.outside, "eth0");
    let mut flows = Flows::new(kind, Source::Anywhere);
    let start = Instant::now();
    for number in 0..count {
        link.send(flows.frame(number));
        if number % 256 == 255 {
            take();
        }
    }
    let rate = a_second(count, start.elapsed());
    std::thread::sleep(Duration::from_millis(100));
    take();
    rate
}

fn a_second(count: u64, time: Duration) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1_000_000) / micros
}

/// Packets whose flow could not be stored, over all interfaces.
fn not_stored(daemon: &Daemon) -> u64 {
    let counters = daemon.show("counters");
    let counters = counters.as_array().expect("a list");
    counters
        .iter()
        .filter(|counter| counter["reason"] == "ct_create_failed")
        .filter_map(|counter| counter["packets"].as_u64())
        .sum()
}
