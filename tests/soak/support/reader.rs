//! Probes the policy's verdicts on a set of ports, again and again, by packets.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hep_tests::{address::Net, topology::Topology};
use hep_userspace::datapath::Maps;

use crate::{streams, traffic::StopOnDrop};

/// The first of the probed ports.
pub(crate) const PORTS: u16 = 8000;
/// How many there are, one bit each; policy never allows the last.
pub(crate) const COUNT: u16 = 16;
/// The port that policy always allows: packets to it arrive after all the rest of a round.
pub(crate) const LAST: u16 = PORTS + COUNT;
/// A round whose last packet takes longer is discarded.
const PATIENCE: Duration = Duration::from_millis(50);

/// Which ports are open, by bit.
pub(crate) type Open = u16;

/// Verdicts of one generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) open: Open,
    pub(crate) first: Instant,
}

/// Asks by datagrams of fresh flows, in both families in turn.
pub(crate) struct Reader {
    sinks: [Vec<UdpSocket>; 2],
    topology: Topology,
    pins: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    by_generation: BTreeMap<u32, Verdict>,
    now: Open,
    rounds: u64,
    /// Generations with two different verdicts.
    mixtures: Vec<String>,
}

impl Reader {
    /// Asks across `topology` about the instance that is pinned at `pins`.
    pub(crate) fn new(topology: Topology, pins: PathBuf) -> Self {
        let sinks = Net::both().map(|net| {
            (0..=COUNT)
                .map(|number| {
                    topology
                        .host
                        .run(|| streams::socket(net.host, PORTS + number))
                        .unwrap_or_else(|error| panic!("receive at {}: {error}", net.host))
                })
                .collect()
        });
        Self {
            sinks,
            topology,
            pins,
            seen: Mutex::default(),
        }
    }

    /// Asks while `work` runs.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let reading = scope.spawn(|| self.read(&stop));
            // Also when `work` panics.
            let end = StopOnDrop(&stop);
            let result = work();
            drop(end);
            reading.join().expect("the reader does not panic");
            result
        })
    }

    fn read(&self, stop: &AtomicBool) {
        let _entered = self.topology.outside.enter();
        let maps = Maps::open(&self.pins).expect("a daemon is there");
        let generation = || maps.control().expect("one word").generation;
        let mut round: u64 = 0;
        while !stop.load(Ordering::Relaxed) {
            let before = generation();
            let first = Instant::now();
            if let Some(open) = self.ask(round)
                && generation() == before
            {
                self.note(before, open, first);
            }
            round += 1;
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends a datagram to every port and returns which arrived; none if that is unknown.
    fn ask(&self, round: u64) -> Option<Open> {
        let family = usize::from(round % 2 == 1);
        let net = Net::both()[family];
        let source = UdpSocket::bind(SocketAddr::new(net.client, 0)).expect("a free port");
        let payload = round.to_be_bytes();
        for port in PORTS..=LAST {
            let to = SocketAddr::new(net.host, port);
            source
                .send_to(&payload, to)
                .expect("nothing here refuses it");
        }
        let deadline = Instant::now() + PATIENCE;
        let (last, sinks) = self.sinks[family].split_last()?;
        while !arrived(last, payload) {
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_micros(200));
        }
        let open = sinks
            .iter()
            .enumerate()
            .filter(|(_, sink)| arrived(sink, payload));
        Some(open.fold(0, |open, (number, _)| open | 1 << number))
    }

    fn note(&self, generation: u32, open: Open, first: Instant) {
        let mut seen = self.seen.lock().expect("nobody panicked");
        seen.now = open;
        seen.rounds += 1;
        let verdict = *seen
            .by_generation
            .entry(generation)
            .or_insert(Verdict { open, first });
        if verdict.open != open {
            let text = format!(
                "generation {generation}: {:016b}, then {open:016b}",
                verdict.open
            );
            seen.mixtures.push(text);
        }
    }

    /// Discards the verdicts until now.
    pub(crate) fn forget(&self) {
        *self.seen.lock().expect("nobody panicked") = Seen::default();
    }

    /// Verdicts of the last round.
    pub(crate) fn now(&self) -> Open {
        self.seen.lock().expect("nobody panicked").now
    }

    /// How many rounds there were.
    pub(crate) fn rounds(&self) -> u64 {
        self.seen.lock().expect("nobody panicked").rounds
    }

    /// Verdicts of each generation, in order.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let seen = self.seen.lock().expect("nobody panicked");
        seen.by_generation.values().copied().collect()
    }

    /// Generations with two different verdicts, in words.
    pub(crate) fn mixtures(&self) -> Vec<String> {
        self.seen.lock().expect("nobody panicked").mixtures.clone()
    }
}

/// Whether a datagram with this payload is there; takes all that are.
fn arrived(sink: &UdpSocket, payload: [u8; 8]) -> bool {
    let mut found = [0; 8];
    let mut has_arrived = false;
    while sink.recv(&mut found).is_ok() {
        has_arrived |= found == payload;
    }
    has_arrived
}
