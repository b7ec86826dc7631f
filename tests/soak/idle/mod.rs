//! Idle connections: blind RSTs end none, and none ends because it was idle for longer than its timer.

mod connections;

use std::{thread, time::Duration};

use fastrand::Rng;
use hep_common::grace::GRACE_NS;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    packet::{self, ACK, Mac, RST},
    policy::{eth0, felix, policy},
    topology::{HOST_INSIDE_MAC, HOST_MAC, INSIDE_MAC, OUTSIDE_MAC, Topology},
};

pub(crate) use connections::{End, Idle, NEW_PORT, OUTBOUND_PORT, PORT};

use crate::figure::Figures;

/// The port of connections that policy allows at first.
const OUTLAWED_PORT: u16 = 7003;

/// A connection that should be lost is lost if it is silent for this long.
const LOST: Duration = Duration::from_secs(3);

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Local connections, half of each family and half opened by the host; as many are forwarded
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    connections: usize,
    /// RSTs at each connection, from each end that is not the host
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    resets: u32,
    /// `tcpEstablished` and `tcpResetSeen`
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timer: u16,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            connections: 100,
            resets: 4,
            timer: 1,
        }
    }

    /// Longer than an idle connection is kept: the timer, its ticks, and the time to delete it.
    fn wait(&self) {
        thread::sleep(Duration::from_secs(u64::from(self.timer)) + Duration::from_millis(500));
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    blind_resets(plan, figures);
    beyond_the_timer(plan, figures);
}

/// Lets in connections to these ports, local and forwarded, and out those of the host.
fn allow(ports: &[u16]) -> String {
    let spec = format!(
        "applyOnForward: true, types: [Ingress, Egress], \
         ingress: [{{action: Allow, protocol: TCP, destination: {{ports: {ports:?}}}}}], \
         egress: [{{action: Allow, protocol: TCP, destination: {{ports: [{OUTBOUND_PORT}]}}}}]"
    );
    policy("idle", &spec)
}

/// RSTs with numbers that an attacker guesses, from either end; then both ends are silent for longer than a
/// connection is kept after a genuine one.
fn blind_resets(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let timers = felix(&format!(
        "bpfConntrackTimeouts: {{tcpResetSeen: {}s}}",
        plan.timer
    ));
    let _daemon = Daemon::start(&topology.host, &[eth0(), allow(&[PORT]), timers]);
    let half = plan.connections.div_ceil(2);
    let local = Idle::local(&topology, half);
    let forwarded = Idle::forwarded(&topology, half);
    let mut rng = Rng::with_seed(1);
    let mut sent = 0;
    for idle in [&local, &forwarded] {
        sent += reset(&topology, idle, plan.resets, &mut rng);
    }
    plan.wait();
    figures.tell("blind RSTs", sent);
    for (what, idle) in [("local", local), ("forwarded", forwarded)] {
        figures.exactly(
            format!("{what} connections that pass data after blind RSTs"),
            idle.alive(End::Server),
            idle.len(),
        );
    }
}

/// Sends `count` RSTs at each connection from each end that is not the host; returns how many.
fn reset(topology: &Topology, idle: &Idle, count: u32, rng: &mut Rng) -> u32 {
    let outside = (Link::open(&topology.outside, "eth0"), OUTSIDE_MAC, HOST_MAC);
    let inside = (
        Link::open(&topology.inside, "eth0"),
        INSIDE_MAC,
        HOST_INSIDE_MAC,
    );
    let hosts = Net::both().map(|net| net.host);
    let inner = Net::both().map(|net| net.inner);
    let mut sent = 0;
    for ends in idle.ends() {
        for [from, to] in [ends, [ends[1], ends[0]]] {
            if hosts.contains(&from.ip()) {
                continue;
            }
            let (link, own_mac, host_mac): &(Link, Mac, Mac) = if inner.contains(&from.ip()) {
                &inside
            } else {
                &outside
            };
            for number in 0..count {
                let flags = if number % 2 == 0 { RST } else { RST | ACK };
                let frame = packet::tcp(from.ip(), to.ip())
                    .sport(from.port())
                    .dport(to.port())
                    .flags(flags)
                    .numbers(rng.u32(..), rng.u32(..))
                    .ethernet(*own_mac, *host_mac)
                    .frame();
                link.send(&frame);
                sent += 1;
            }
        }
    }
    sent
}

/// Connections that are silent for longer than `tcpEstablished`, so that their flows are gone.
fn beyond_the_timer(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let timers = felix(&format!(
        "bpfConntrackTimeouts: {{tcpEstablished: {}s}}",
        plan.timer
    ));
    let mut daemon = Daemon::start(
        &topology.host,
        &[eth0(), allow(&[PORT, OUTLAWED_PORT]), timers.clone()],
    );
    let half = plan.connections.div_ceil(2);
    let idle = Idle::local(&topology, half);
    let outlawed = Idle::to_port(&topology, OUTLAWED_PORT, 2);
    // At first every connection that the host has open goes on (spec EV-158).
    thread::sleep(Duration::from_nanos(GRACE_NS));
    for (what, first) in [("the server", End::Server), ("the client", End::Client)] {
        plan.wait();
        figures.exactly(
            format!("idle beyond the timer: connections that pass data, {what} speaks first"),
            idle.alive(first),
            idle.len(),
        );
    }
    figures.exactly(
        "idle beyond the timer: connections on a port that policy allows still",
        outlawed.alive(End::Server),
        outlawed.len(),
    );
    plan.wait();
    daemon.replace(&[eth0(), allow(&[PORT]), timers]);
    figures.exactly(
        "idle beyond the timer: connections that policy no longer allows",
        outlawed.alive_within(LOST, End::Client),
        0,
    );
    figures.exactly(
        "idle beyond the timer: the others",
        idle.alive(End::Server),
        idle.len(),
    );
}
