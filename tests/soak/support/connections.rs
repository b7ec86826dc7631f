//! TCP connections that talk all the time, in all ways through the host and both families.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    probe::{Connection, listen},
    topology::Topology,
};

use crate::figure::Figures;

/// The port of all connections.
pub(crate) const PORT: u16 = 6000;

/// Connections of each way and family.
const EACH: usize = 10;
/// A connection that is silent for this long is broken: time for several repetitions of a segment.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two rounds of all connections.
const PAUSE: Duration = Duration::from_millis(20);

/// Established connections.
pub(crate) struct Connections {
    open: Vec<(TcpStream, TcpStream)>,
}

/// How connections fared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls {
    connections: usize,
    /// Answers received.
    answers: u64,
    /// Connections that were reset, or silent for longer than is reasonable.
    broken: usize,
    /// The longest wait for an answer.
    longest: Duration,
}

impl Connections {
    /// Opens all; policy must let them.
    pub(crate) fn open(topology: &Topology) -> Self {
        let mut open = Vec::new();
        for net in Net::both() {
            let ways = [
                (net.client, net.host),
                (net.host, net.client),
                (net.client, net.inner),
            ];
            for (from, to) in ways {
                let listener = listen(topology, to, PORT);
                for _ in 0..EACH {
                    let ends = Connection::accepted_by(&listener, topology, from).into_ends();
                    for stream in &ends {
                        stream
                            .set_read_timeout(Some(PATIENCE))
                            .expect("set a timeout");
                    }
                    open.push(ends.into());
                }
            }
        }
        Self { open }
    }

    /// Sends a byte to and fro through each in turn until `stop`, and once more then.
    pub(crate) fn talk(&mut self, stop: &AtomicBool) -> Stalls {
        let mut stalls = Stalls {
            connections: self.open.len(),
            ..Stalls::default()
        };
        loop {
            let is_last = stop.load(Ordering::Relaxed);
            self.open.retain_mut(|(client, server)| {
                let start = Instant::now();
                let mut byte = [b'h'];
                let outcome = client
                    .write_all(&byte)
                    .and_then(|()| server.read_exact(&mut byte))
                    .and_then(|()| server.write_all(&byte))
                    .and_then(|()| client.read_exact(&mut byte));
                stalls.longest = stalls.longest.max(start.elapsed());
                match outcome {
                    Ok(()) => stalls.answers += 1,
                    Err(_) => stalls.broken += 1,
                }
                outcome.is_ok()
            });
            if is_last {
                return stalls;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Stalls {
    /// The figures of one part of a soak.
    pub(crate) fn report(&self, part: &str, figures: &mut Figures) {
        figures.tell(
            format!("{part}: round trips on {} connections", self.connections),
            self.answers,
        );
        figures.exactly(format!("{part}: connections broken"), self.broken, 0);
        figures.tell(
            format!("{part}: longest round trip, ms"),
            self.longest.as_millis(),
        );
    }
}
