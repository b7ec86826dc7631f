//! Floods of one kind after the other, at a rate, beside idle connections and new ones.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum as _;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    policy::{eth0, felix, policy},
    probe::{connect, listen},
    topology::Topology,
};

use super::{
    Plan,
    kinds::{CLOSED_PORT, CLOSED_PORTS, Flows, Kind, PORT, Source},
};
use crate::{
    figure::Figures,
    idle::{self, End, Idle, NEW_PORT, OUTBOUND_PORT},
    streams,
};

/// Flows whose first packets are sent before any second one.
const BATCH: u64 = 256;
/// Between the numbers of flows of two senders.
const FLOWS_PER_SENDER: u64 = 1 << 36;
/// Between two new connections of the host.
const PAUSE: Duration = Duration::from_millis(20);

/// Floods the host by every kind from every source.
pub(super) fn run(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    topology.pin_neighbours();
    let daemon = Daemon::start(&topology.host, &resources(plan));
    let victim = Victim {
        daemon,
        local: Idle::local(&topology, plan.connections),
        forwarded: Idle::forwarded(&topology, plan.connections),
        // Its queue is full soon, and each SYN is answered all the same.
        _servers: Net::both().map(|net| listen(&topology, net.host, PORT)),
        topology,
    };
    figures.tell("idle connections, local", victim.local.len());
    figures.tell("idle connections, forwarded", victim.forwarded.len());
    let seconds = Duration::from_secs_f64(plan.seconds);
    for source in Source::value_variants() {
        for kind in &plan.kinds {
            // What a process answers is as quick as it is.
            let rate = (!kind.is_served()).then_some(plan.rate);
            victim.flood(*kind, *source, rate, seconds, figures);
        }
    }
    let seconds = Duration::from_secs_f64(plan.slow_seconds);
    for source in Source::value_variants() {
        victim.flood(Kind::Mixed, *source, Some(plan.slow_rate), seconds, figures);
    }
}

/// Lets in the flood's packets and those that open connections, local and forwarded, and out only
/// connections to one port.
fn resources(plan: &Plan) -> Vec<String> {
    let last = CLOSED_PORT + CLOSED_PORTS - 1;
    let ports = format!("ports: [{PORT}, {}, '{CLOSED_PORT}:{last}']", idle::PORT);
    let rules = [
        format!("{{action: Allow, protocol: TCP, destination: {{{ports}}}}}"),
        format!("{{action: Allow, protocol: UDP, destination: {{ports: [{PORT}]}}}}"),
        "{action: Allow, protocol: ICMP, icmp: {type: 8}}".to_owned(),
        "{action: Allow, protocol: ICMPv6, icmp: {type: 128}}".to_owned(),
    ];
    let out = format!(
        "{{action: Allow, protocol: TCP, destination: {{ports: [{OUTBOUND_PORT}, {NEW_PORT}]}}}}"
    );
    let mut resources = vec![
        eth0(),
        policy(
            "victim",
            &format!(
                "applyOnForward: true, types: [Ingress, Egress], ingress: [{}], egress: [{out}]",
                rules.join(", ")
            ),
        ),
    ];
    if let Some(room) = plan.flows {
        resources.push(felix(&format!("bpfMapSizeConntrack: {room}")));
    }
    resources
}

/// A host under policy with connections of all ways.
struct Victim {
    // Dropped in this order: the daemon before its namespace.
    daemon: Daemon,
    local: Idle,
    forwarded: Idle,
    _servers: [TcpListener; 2],
    topology: Topology,
}

impl Victim {
    /// Floods the host for a time, with at most `rate` packets a second.
    fn flood(
        &self,
        kind: Kind,
        source: Source,
        rate: Option<u32>,
        time: Duration,
        figures: &mut Figures,
    ) {
        let name = kind.to_possible_value().map_or_else(String::new, |value| {
            format!("{} from {}", value.get_name(), source.name())
        });
        let is_over = &AtomicBool::new(false);
        let (sent, took, opened) = thread::scope(|scope| {
            let opened = scope.spawn(|| self.open_new(is_over));
            for net in Net::both() {
                scope.spawn(move || self.answer(&net, is_over));
            }
            let senders = [0, 1].map(|sender| {
                let link = Link::open(&self.topology.outside, "eth0");
                let rate = rate.map(|rate| rate / 2);
                let first = sender * FLOWS_PER_SENDER;
                scope.spawn(move || send(&link, kind, source, first, rate, time))
            });
            let sent = senders.map(|sender| sender.join().expect("send"));
            is_over.store(true, Ordering::Relaxed);
            let [(one, took), (other, _)] = sent;
            (one + other, took, opened.join().expect("connect"))
        });
        let wanted = rate.map_or_else(|| "as fast as can be".to_owned(), |rate| rate.to_string());
        figures.tell(
            format!("{name}, {wanted}: packets a second"),
            (sent as f64 / took.as_secs_f64()).round(),
        );
        let assured = self.assured();
        for (what, idle) in [("local", &self.local), ("forwarded", &self.forwarded)] {
            figures.exactly(
                format!("{name}: {what} connections that pass data afterwards"),
                idle.alive(End::Server),
                idle.len(),
            );
        }
        figures.at_least(
            format!("{name}: assured connections"),
            assured,
            self.local.len() + self.forwarded.len(),
        );
        figures.exactly(
            format!("{name}: new connections of the host that completed"),
            opened.completed,
            opened.tried,
        );
        figures.tell(
            format!("{name}: the slowest of them, ms"),
            opened.longest.as_millis(),
        );
    }

    /// Opens connections from the host until it is over.
    fn open_new(&self, is_over: &AtomicBool) -> Opened {
        let nets = Net::both().map(|net| (net, listen(&self.topology, net.client, NEW_PORT)));
        let _entered = self.topology.host.enter();
        let mut opened = Opened::default();
        for (net, listener) in nets.iter().cycle() {
            let started = Instant::now();
            let to = SocketAddr::new(net.client, NEW_PORT);
            let is_open = connect(net.host, to).is_ok() && listener.accept().is_ok();
            opened.tried += 1;
            opened.completed += usize::from(is_open);
            opened.longest = opened.longest.max(started.elapsed());
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(PAUSE);
        }
        opened
    }

    /// Answers datagrams until it is over.
    fn answer(&self, net: &Net, is_over: &AtomicBool) {
        let socket: UdpSocket = self
            .topology
            .host
            .run(|| streams::socket(net.host, PORT))
            .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host));
        let mut request = [0; 16];
        while !is_over.load(Ordering::Relaxed) {
            match socket.recv_from(&mut request) {
                // What cannot be sent is not worth less than what is lost.
                Ok((length, from)) => drop(socket.send_to(&request[..length], from)),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// How many TCP connections are assured.
    fn assured(&self) -> usize {
        let status = self.daemon.status();
        let tables = status["tables"].as_array().expect("a list");
        let assured = tables.iter().filter(|table| table["table"] == "assuredTcp");
        let entries = assured.filter_map(|table| table["entries"].as_u64());
        usize::try_from(entries.sum::<u64>()).expect("fits")
    }
}

/// New connections of the host.
#[derive(Default)]
struct Opened {
    tried: usize,
    completed: usize,
    longest: Duration,
}

/// Sends packets of flows from number `start_at` on for a time; how many, and how long it took.
fn send(
    link: &Link,
    kind: Kind,
    source: Source,
    start_at: u64,
    rate: Option<u32>,
    time: Duration,
) -> (u64, Duration) {
    let parts = kind.parts().into_iter();
    let mut parts: Vec<Flows> = parts.map(|part| Flows::new(part, source)).collect();
    let (start, mut sent) = (Instant::now(), 0);
    for first in (start_at..).step_by(usize::try_from(BATCH).expect("fits")) {
        for flows in &mut parts {
            for _packet in 0..flows.kind().packets() {
                for number in first..first + BATCH {
                    link.send(flows.frame(number));
                }
                sent += BATCH;
                if let Some(rate) = rate {
                    let due = Duration::from_secs_f64(sent as f64 / f64::from(rate));
                    thread::sleep(due.saturating_sub(start.elapsed()));
                }
            }
        }
        if start.elapsed() >= time {
            break;
        }
    }
    (sent, start.elapsed())
}
