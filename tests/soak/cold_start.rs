//! First enforcement under connections in mid-transfer: to the host, from it, and through it, with the
//! kernel's own connection tracking and without.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hep_common::grace::GRACE_NS;
use hep_tests::{
    address::Net,
    daemon::Daemon,
    namespace::Namespace,
    policy::{endpoint, policy},
    probe::{Connection, listen},
    topology::Topology,
};

use crate::figure::Figures;

/// The port of all connections.
const PORT: u16 = 6000;
/// Most bytes of each end on the way: several segments.
const ON_THE_WAY_BYTES: usize = 4 * SEGMENT_BYTES;
/// One write, which is a segment of its own.
const SEGMENT_BYTES: usize = 600;
/// A connection that is silent for this long is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Has the kernel's own connection tracking follow everything.
const TRACKING: &str = "table inet tracking { chain arriving { \
    type filter hook prerouting priority 0; ct state established accept; }; chain leaving { \
    type filter hook output priority 0; ct state established accept; }; }";

/// Options of the soak.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Connections, of all ways and families together
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    connections: usize,
    /// Seconds of transfer before hep starts; the retransmissions in this time are the baseline
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    before: u64,
}

impl Plan {
    /// The same, shortened.
    pub(crate) fn quick(self) -> Self {
        Self {
            connections: 60,
            before: 3,
        }
    }
}

/// Runs the soak.
pub(crate) fn run(plan: &Plan, figures: &mut Figures) {
    for tracks in [false, true] {
        first_enforcement(plan, tracks, figures);
    }
}

fn first_enforcement(plan: &Plan, tracks: bool, figures: &mut Figures) {
    let part = if tracks {
        "with kernel conntrack"
    } else {
        "without kernel conntrack"
    };
    let topology = Topology::new();
    topology.pin_neighbours();
    for machine in machines(&topology) {
        // Without answer for a moment the last segment would be sent again, lost or not: on a busy
        // machine moments are long.
        machine.sysctl("net/ipv4/tcp_early_retrans", "0");
    }
    if tracks {
        topology.host.command("nft", &[TRACKING]);
    }
    let (mut transfers, _listeners) = open(&topology, plan.connections);
    figures.tell(format!("{part}: connections"), transfers.len());

    let stop = AtomicBool::new(false);
    let before = resent(&topology);
    thread::scope(|scope| {
        scope.spawn(|| transfer(&mut transfers, &stop));
        thread::sleep(Duration::from_secs(plan.before));
        stop.store(true, Ordering::Relaxed);
    });
    let without = resent(&topology) - before;

    stop.store(false, Ordering::Relaxed);
    let daemon = thread::scope(|scope| {
        scope.spawn(|| transfer(&mut transfers, &stop));
        let daemon = Daemon::start(&topology.host, &resources());
        thread::sleep(Duration::from_nanos(GRACE_NS) + Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
        daemon
    });
    let with = resent(&topology) - before - without;

    let bytes: u64 = transfers
        .iter()
        .flat_map(|it| it.ends.iter().map(|end| end.read))
        .sum();
    figures.tell(format!("{part}: segments"), bytes / SEGMENT_BYTES as u64);
    figures.tell(format!("{part}: resent before hep"), without);
    figures.tell(format!("{part}: resent at first enforcement"), with);
    figures.exactly(
        format!("{part}: resent because of hep"),
        with.saturating_sub(without),
        0,
    );
    figures.exactly(format!("{part}: dropped by hep"), dropped(&daemon), 0);
    figures.exactly(
        format!("{part}: connections broken"),
        transfers
            .iter()
            .filter(|transfer| transfer.is_broken)
            .count(),
        0,
    );
}

/// Lets the connections' port through the host, and nothing else anywhere: no rule allows the host's own
/// connections, and yet they are kept.
fn resources() -> [String; 2] {
    let rule = |net: &str| {
        format!(
            "{{action: Allow, protocol: TCP, \
             destination: {{ports: [{PORT}], nets: [{net}]}}}}"
        )
    };
    let nets = Net::both().map(|net| net.inner.to_string());
    let rules = nets.map(|inner| {
        let bits = if inner.contains(':') { 128 } else { 32 };
        rule(&format!("'{inner}/{bits}'"))
    });
    let rules = rules.join(", ");
    [
        endpoint("h1", "interfaceName: '*'"),
        policy(
            "through",
            &format!(
                "applyOnForward: true, types: [Ingress, Egress], \
                 ingress: [{rules}], egress: [{rules}]"
            ),
        ),
    ]
}

fn machines(topology: &Topology) -> [&Namespace; 3] {
    [&topology.host, &topology.outside, &topology.inside]
}

/// Segments that the machines' TCPs have sent again.
fn resent(topology: &Topology) -> u64 {
    machines(topology)
        .iter()
        .map(|machine| {
            let text = machine.run(|| fs::read_to_string("/proc/thread-self/net/snmp"));
            let text = text.expect("read TCP's counters");
            let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
            let names = lines.next().expect("names of TCP's counters");
            let values = lines.next().expect("values of TCP's counters");
            let mut pairs = names.split(' ').zip(values.split(' '));
            let found = pairs.find(|(name, _)| *name == "RetransSegs");
            let (_, value) = found.expect("the kernel counts what it sends again");
            value.parse::<u64>().expect("counters are numbers")
        })
        .sum()
}

/// Packets that hep dropped.
fn dropped(daemon: &Daemon) -> u64 {
    let counters = daemon.show("counters");
    let rows = counters.as_array().expect("counters are a list").iter();
    rows.filter(|row| row["verdict"] == "deny")
        .map(|row| row["packets"].as_u64().expect("counters are numbers"))
        .sum()
}

/// A connection whose ends both send all the time.
struct Transfer {
    ends: [End; 2],
    is_broken: bool,
}

struct End {
    stream: TcpStream,
    sent: u64,
    read: u64,
}

/// Opens as many connections, as even as can be in all ways and families.
fn open(topology: &Topology, number: usize) -> (Vec<Transfer>, Vec<TcpListener>) {
    let ways: Vec<_> = Net::each(|net| {
        [
            (net.client, net.host),
            (net.host, net.client),
            (net.client, net.inner),
        ]
    });
    let each = number.div_ceil(ways.len());
    let (mut transfers, mut listeners) = (Vec::new(), Vec::new());
    for (from, to) in ways {
        let listener = listen(topology, to, PORT);
        for _ in 0..each {
            let connection = Connection::accepted_by(&listener, topology, from);
            let ends = connection.into_ends().map(|stream| {
                stream.set_nonblocking(true).expect("set non-blocking");
                End {
                    stream,
                    sent: 0,
                    read: 0,
                }
            });
            transfers.push(Transfer {
                ends,
                is_broken: false,
            });
        }
        // Who opened the connections is known by their ports as long as somebody listens.
        listeners.push(listener);
    }
    (transfers, listeners)
}

/// Keeps segments on their way in both directions of all connections until `stop`, and waits for the last
/// of them.
fn transfer(transfers: &mut [Transfer], stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for transfer in &mut *transfers {
            transfer.send();
            transfer.receive();
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for transfer in transfers {
        while !transfer.is_broken && !transfer.is_complete() {
            transfer.receive();
            transfer.is_broken |= Instant::now() > deadline;
        }
    }
}

impl Transfer {
    /// Whether all that was sent has arrived.
    fn is_complete(&self) -> bool {
        let [a, b] = &self.ends;
        a.sent == b.read && b.sent == a.read
    }

    /// Sends at each end as long as little is on its way.
    fn send(&mut self) {
        let read = [self.ends[1].read, self.ends[0].read];
        for (end, read) in self.ends.iter_mut().zip(read) {
            if end.sent - read >= ON_THE_WAY_BYTES as u64 {
                continue;
            }
            match end.stream.write(&[0; SEGMENT_BYTES]) {
                Ok(length) => end.sent += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.is_broken = true,
            }
        }
    }

    /// Takes what has arrived at each end.
    fn receive(&mut self) {
        for end in &mut self.ends {
            match end.stream.read(&mut [0; ON_THE_WAY_BYTES]) {
                Ok(length @ 1..) => end.read += length as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => self.is_broken = true,
            }
        }
    }
}
