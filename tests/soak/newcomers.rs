//! Interfaces that appear, under a large policy and during a flood of other notifications: how long packets
//! that policy denies still pass (EV-018).

use std::{
    io::Write as _,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    daemon::Daemon,
    link::Link,
    namespace::Namespace,
    packet::{self, Mac},
    policy::{endpoint, felix, network_set, policy},
    program::program,
    receiver::Receiver,
    topology::Topology,
};

use crate::figure::Figures;

/// Port of the datagrams, which nothing allows.
const PORT: u16 = 9;
/// Ethernet address of the interface that appears.
const NEW_MAC: Mac = [2, 0, 0, 0, 0x77, 1];
/// Ethernet address of its other end.
const OTHER_MAC: Mac = [2, 0, 0, 0, 0x77, 2];
/// Addresses of one network set.
const ADDRESSES_PER_SET: usize = 10_000;
/// Between two datagrams of a sender.
const PACE: Duration = Duration::from_micros(200);

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Interfaces that appear
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    rounds: u64,
    /// Addresses in network sets
    #[arg(long, value_name = "NUMBER", default_value_t = 300_000)]
    addresses: usize,
    /// Policies
    #[arg(long, value_name = "NUMBER", default_value_t = 3_000)]
    policies: usize,
    /// Changes of other interfaces' addresses per second; each causes at least one notification
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    events: u64,
    /// Limit in milliseconds after which no denied packet may pass
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit_ms: u64,
    /// Attach by filters instead of TCX links
    #[arg(long)]
    filters: bool,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            rounds: 3,
            addresses: 20_000,
            policies: 200,
            // A debug build on a busy machine: this tells hanging from policing, and claims nothing.
            limit_ms: 20_000,
            ..self
        }
    }

    fn resources(&self) -> Vec<String> {
        let attach = if self.filters { "TC" } else { "TCX" };
        let mut resources = vec![
            endpoint("all", "interfaceName: '*'"),
            felix(&format!("bpfAttachType: {attach}")),
        ];
        let sets = self.addresses.div_ceil(ADDRESSES_PER_SET);
        for set in 0..sets {
            let nets: Vec<String> = (0..ADDRESSES_PER_SET)
                .map(|number| {
                    let number = set * ADDRESSES_PER_SET + number;
                    format!(
                        "100.{}.{}.{}",
                        number >> 15 & 255,
                        number >> 7 & 255,
                        number << 1 & 255
                    )
                })
                .collect();
            resources.push(network_set(
                &format!("set-{set}"),
                &format!("set: s{set}"),
                &nets,
            ));
        }
        for number in 0..self.policies {
            let rule = format!(
                "{{action: Allow, protocol: TCP, source: {{selector: \"set == 's{}'\"}}, \
                 destination: {{ports: [{}]}}}}",
                number % sets.max(1),
                1000 + number
            );
            resources.push(policy(
                &format!("policy-{number}"),
                &format!("types: [Ingress, Egress], ingress: [{rule}]"),
            ));
        }
        resources
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    let topology = Topology::new();
    for which in ["all", "default"] {
        topology
            .host
            .sysctl(&format!("net/ipv4/conf/{which}/rp_filter"), "0");
    }
    let open = round(&topology, 0, Duration::from_millis(200));
    figures.at_least(
        "no policy: datagrams that pass, of either direction",
        open.passed.into_iter().min().unwrap_or(0),
        10,
    );
    let daemon = Daemon::start(&topology.host, &plan.resources());
    let (mut in_time, mut latest, mut all) = (0, [Duration::ZERO; 2], Vec::new());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&topology.host, plan.events, &done));
        let limit = Duration::from_millis(plan.limit_ms);
        for number in 1..=plan.rounds {
            let found = round(&topology, number, limit.max(Duration::from_millis(150)) * 2);
            let last = found.last.into_iter().max().unwrap_or_default();
            in_time += u64::from(last < limit);
            all.push(last);
            latest = [0, 1].map(|way| latest[way].max(found.last[way]));
        }
        done.store(true, Ordering::Relaxed);
        let rate = flood.join().expect("the flood does not panic");
        figures.tell("changes of other addresses a second", rate);
    });
    all.sort_unstable();
    figures.exactly("interfaces policed in time", in_time, plan.rounds);
    figures.tell("median until policed, µs", all[all.len() / 2].as_micros());
    figures.tell("slowest: ingress, µs", latest[0].as_micros());
    figures.tell("slowest: egress, µs", latest[1].as_micros());
    drop(daemon);
}

/// Packets that passed an interface that appeared: in, out.
struct Passed {
    passed: [u64; 2],
    /// Arrival of the last of them, since the interface was created.
    last: [Duration; 2],
}

/// An interface appears, with both ends up at once, and all its packets in and out are denied.
fn round(topology: &Topology, number: u64, time: Duration) -> Passed {
    let (name, other) = (format!("new{number}"), format!("other{number}"));
    let counters: [Counter; 2] = Default::default();
    let listening = AtomicBool::new(true);
    thread::scope(|scope| {
        for net in Net::both() {
            let (counters, listening) = (&counters, &listening);
            let host = Receiver::udp(&topology.host, net.host, PORT);
            let inside = Receiver::udp(&topology.inside, net.inner, PORT);
            for (receiver, way) in [(host, 0), (inside, 1)] {
                scope.spawn(move || counters[way].count(&receiver, listening));
            }
        }
        let start = Instant::now();
        for counter in &counters {
            counter.begin(start);
        }
        topology.host.ip(&format!(
            "link add {name} up address {} type veth peer name {other} address {} netns {}",
            text(NEW_MAC),
            text(OTHER_MAC),
            topology.inside.name()
        ));
        topology.inside.ip(&format!("link set {other} up"));
        let ways = [
            (&topology.inside, &other, OTHER_MAC, NEW_MAC),
            (&topology.host, &name, NEW_MAC, OTHER_MAC),
        ];
        for (way, (namespace, interface, from, to)) in ways.into_iter().enumerate() {
            let link = Link::open(namespace, interface);
            scope.spawn(move || {
                while start.elapsed() < time {
                    for net in Net::both() {
                        let ends = [(net.inner, net.host), (net.host, net.inner)];
                        let (source, destination) = ends[way];
                        let datagram = packet::udp(source, destination).dport(PORT);
                        link.send(&datagram.ethernet(from, to).frame());
                    }
                    thread::sleep(PACE);
                }
            });
        }
        thread::sleep(time.saturating_sub(start.elapsed()));
        listening.store(false, Ordering::Relaxed);
    });
    topology.host.ip(&format!("link del {name}"));
    Passed {
        passed: [0, 1].map(|way| counters[way].passed.load(Ordering::Relaxed)),
        last: [0, 1].map(|way| counters[way].last()),
    }
}

/// Packets received since a moment.
#[derive(Default)]
struct Counter {
    start: std::sync::OnceLock<Instant>,
    passed: AtomicU64,
    last_us: AtomicU64,
}

impl Counter {
    fn begin(&self, start: Instant) {
        self.start.get_or_init(|| start);
    }

    fn count(&self, receiver: &Receiver, listening: &AtomicBool) {
        while listening.load(Ordering::Relaxed) {
            if receiver
                .receive(Duration::from_millis(10), |_| true)
                .is_none()
            {
                continue;
            }
            let since = self.start.get().map_or(Duration::ZERO, Instant::elapsed);
            let since = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
            self.passed.fetch_add(1, Ordering::Relaxed);
            self.last_us.fetch_max(since, Ordering::Relaxed);
        }
    }

    fn last(&self) -> Duration {
        Duration::from_micros(self.last_us.load(Ordering::Relaxed))
    }
}

fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Adds and removes addresses of an interface of its own until `done`; returns the rate of both together
/// per second.
fn flood(host: &Namespace, events: u64, done: &AtomicBool) -> u64 {
    /// Commands that are handed over at a time.
    const BATCH: u32 = 10;
    host.ip("link add noise type veth peer name noise-end\nlink set noise up");
    let mut ip = host
        .run(|| {
            program("ip")
                .args(["-force", "-batch", "-"])
                .stdin(Stdio::piped())
                .spawn()
        })
        .expect("run ip");
    let mut commands = ip.stdin.take().expect("it is a pipe");
    let (start, mut count) = (Instant::now(), 0);
    let pace = Duration::from_secs(1) * BATCH / u32::try_from(events.max(1)).unwrap_or(u32::MAX);
    while !done.load(Ordering::Relaxed) {
        for _ in 0..BATCH / 2 {
            let pair = "address add 203.0.113.200/32 dev noise\n\
                        address del 203.0.113.200/32 dev noise\n";
            commands
                .write_all(pair.as_bytes())
                .expect("ip reads its commands");
        }
        count += u64::from(BATCH);
        let due = pace * u32::try_from(count / u64::from(BATCH)).unwrap_or(u32::MAX);
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    drop(commands);
    ip.wait().expect("ip ends");
    let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    host.ip("link del noise");
    count * 1000 / milliseconds.max(1)
}
