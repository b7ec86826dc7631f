//! Traffic during changes of the firewall, and its losses.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hep_tests::topology::Topology;

use crate::{
    connections::{Connections, Stalls},
    figure::Figures,
    queues,
    streams::{self, Stream},
};

/// Packets a second of each stream; with all streams more than 20 000.
const RATE: u64 = 1000;
/// Most packets of a stream at once, when the sender is late: the kernel's queue between two ends of a link
/// holds 1000.
const BURST: u64 = 20;
/// How long what is on the way may take.
const AFTERGLOW: Duration = Duration::from_millis(300);

/// Streams and connections between the machines of a topology.
pub(crate) struct Traffic<'a> {
    topology: &'a Topology,
    streams: Mutex<Vec<Stream>>,
    connections: Connections,
}

/// Counts and losses of the traffic during a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) allowed: u64,
    pub(crate) allowed_lost: u64,
    pub(crate) denied: u64,
    pub(crate) denied_delivered: u64,
    /// Packets that full queues of the kernel dropped, before or behind the firewall.
    pub(crate) queues_dropped: u64,
    pub(crate) stalls: Stalls,
    /// The first losses, in words.
    pub(crate) remarks: Vec<String>,
}

impl<'a> Traffic<'a> {
    /// Opens all streams and connections; policy must let them.
    pub(crate) fn open(topology: &'a Topology) -> Self {
        Self {
            topology,
            streams: Mutex::new(streams::all(topology)),
            connections: Connections::open(topology),
        }
    }

    /// Sends and receives while `work` runs.
    pub(crate) fn during<T>(&mut self, work: impl FnOnce() -> T) -> (T, Outcome) {
        let before = self.counts();
        let queues_before = queues::dropped(self.topology);
        let start = Instant::now();
        let (result, stalls) = self.carry(work);
        let seconds = start.elapsed().as_secs_f64();
        let outcome = self.outcome(&before, seconds, queues_before, stalls);
        (result, outcome)
    }

    fn carry<T>(&mut self, work: impl FnOnce() -> T) -> (T, Stalls) {
        let stop = AtomicBool::new(false);
        let streams = &self.streams;
        let connections = &mut self.connections;
        thread::scope(|scope| {
            // Also when `work` panics.
            let end = StopOnDrop(&stop);
            let datagrams = scope.spawn(|| pump(streams, &stop));
            let connections = scope.spawn(|| connections.talk(&stop));
            let result = work();
            drop(end);
            datagrams.join().expect("the pump does not panic");
            let stalls = connections.join().expect("connections do not panic");
            (result, stalls)
        })
    }

    /// Sent and received of every stream.
    fn counts(&self) -> Vec<(u64, u64)> {
        let streams = self.streams.lock().expect("nobody panicked");
        streams
            .iter()
            .map(|stream| (stream.sent, stream.received))
            .collect()
    }

    fn outcome(
        &self,
        before: &[(u64, u64)],
        seconds: f64,
        queues_before: u64,
        stalls: Stalls,
    ) -> Outcome {
        let mut outcome = Outcome {
            seconds,
            stalls,
            queues_dropped: queues::dropped(self.topology) - queues_before,
            ..Outcome::default()
        };
        let streams = self.streams.lock().expect("nobody panicked");
        for (stream, (sent_before, received_before)) in streams.iter().zip(before) {
            let sent = stream.sent - sent_before;
            let received = stream.received - received_before;
            outcome.sent += sent;
            if !stream.kind.is_allowed {
                outcome.denied += sent;
                outcome.denied_delivered += received;
                if received > 0 {
                    outcome
                        .remarks
                        .push(format!("{}: {received} delivered", stream.kind));
                }
                continue;
            }
            outcome.allowed += sent;
            outcome.allowed_lost += sent - received;
            if sent > received {
                let gaps = stream.gaps();
                let gaps = gaps.get(..8).unwrap_or(&gaps);
                outcome.remarks.push(format!(
                    "{}: {} lost of {sent}, numbers {gaps:?}",
                    stream.kind,
                    sent - received
                ));
            }
        }
        outcome
    }
}

/// Sets the stop flag of threads on drop.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends every stream at its rate and receives what arrives, until `stop`, and a little longer.
fn pump(streams: &Mutex<Vec<Stream>>, stop: &AtomicBool) {
    const TICK: Duration = Duration::from_millis(1);
    let mut streams = streams.lock().expect("nobody panicked");
    let mut last = Instant::now();
    // Thousandths of packets that are due.
    let mut due = 0;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        let now = Instant::now();
        due += u64::try_from((now - last).as_micros()).unwrap_or(u64::MAX) * RATE / 1000;
        last = now;
        let count = (due / 1000).min(BURST);
        due = (due - count * 1000).min(BURST * 1000);
        for stream in &mut *streams {
            for _ in 0..count {
                stream.send();
            }
        }
        for stream in &mut *streams {
            stream.receive();
        }
    }
    let end = Instant::now() + AFTERGLOW;
    while Instant::now() < end {
        let mut is_any = false;
        for stream in &mut *streams {
            is_any |= stream.receive();
        }
        if !is_any {
            thread::sleep(TICK);
        }
    }
}

impl Outcome {
    /// The figures of one part of a soak.
    pub(crate) fn report(&self, part: &str, rate: f64, figures: &mut Figures) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate of 15 digits is exact enough"
        )]
        let found = self.sent as f64 / self.seconds;
        figures.at_least(format!("{part}: packets a second"), found.round(), rate);
        figures.tell(format!("{part}: allowed packets"), self.allowed);
        figures.tell(
            format!("{part}: of these, dropped by full queues of the kernel"),
            self.queues_dropped,
        );
        figures.exactly(
            format!("{part}: allowed packets lost otherwise"),
            self.allowed_lost.saturating_sub(self.queues_dropped),
            0,
        );
        figures.tell(format!("{part}: denied packets"), self.denied);
        figures.exactly(
            format!("{part}: denied packets delivered"),
            self.denied_delivered,
            0,
        );
        self.stalls.report(part, figures);
        for remark in &self.remarks {
            println!("{part}: {remark}");
        }
    }
}
