//! An independent oracle: nftables judges the packets that get past hep.
//!
//! Random frames, link layer included, are sent to a host whose interface hep polices, over every kind of
//! link that the kernel has. Behind hep, nftables counts the packets at the host's own hooks and the
//! forwarded ones that the same policy, in nftables' language, denies. There must be none.

mod datagrams;
mod fixture;
mod frames;
mod judge;
mod send;
mod text;
mod upper;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use fixture::{Fixture, KINDS};
pub use frames::Frame;
use frames::Maker;
use judge::{Count, INTERFACE};

/// Frames that are sent before the judges are read.
const ROUND: usize = 1 << 14;
/// How long the last of a few frames may take to its end.
const SETTLE: Duration = Duration::from_millis(40);
/// Rounds whose frames are kept: what was late is counted in the next one.
const KEPT: usize = 2;

/// Limits of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Frames over all kinds of links.
    pub frames: u64,
    /// Ends the search before all were sent.
    pub limit: Duration,
    /// Seed of the frames.
    pub seed: u64,
    /// Only kinds of links with this in their name.
    pub only: Option<String>,
}

/// Counts of the frames over one kind of link.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The kind.
    pub link: &'static str,
    /// Frames sent.
    pub sent: u64,
    /// Packets that hep judged: by reason.
    pub judged: BTreeMap<String, u64>,
    /// Times that the judges behind it saw a packet.
    pub seen: u64,
    /// How long it took.
    pub time: Duration,
    /// Frames that make a packet pass that policy denies; none if nothing was found, or if it does not
    /// happen again.
    pub culprits: Vec<Frame>,
    /// The ends of packets that got past; `None` if there were none.
    pub past: Option<String>,
}

impl Outcome {
    /// Packets that hep judged.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.judged.values().sum()
    }

    /// The culprits as text and bytes.
    #[must_use]
    pub fn text(&self) -> String {
        let frames = self.culprits.iter();
        frames
            .map(|frame| text::describe(frame, is_ethernet(self.link)))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn is_ethernet(link: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == link && kind.ethernet)
}

/// Sends frames over one kind of link after the other, until all are sent, the time is over, or one
/// gets past. Kinds that the kernel does not have are named to `missing`.
///
/// # Panics
///
/// If a namespace, the daemon or nftables does not do what it should.
pub fn run(
    plan: &Plan,
    mut missing: impl FnMut(&'static str),
    mut done: impl FnMut(&Outcome),
) -> Vec<Outcome> {
    let mut fixtures = Vec::new();
    for kind in KINDS {
        if plan
            .only
            .as_ref()
            .is_some_and(|only| !kind.name.contains(only))
        {
            continue;
        }
        match Fixture::new(kind) {
            Some(fixture) => fixtures.push((kind, fixture)),
            None => missing(kind.name),
        }
    }
    let mut outcomes = Vec::new();
    let count = u32::try_from(fixtures.len().max(1)).unwrap_or(1);
    let share = plan.frames.div_ceil(u64::from(count));
    for (number, (kind, fixture)) in fixtures.into_iter().enumerate() {
        let seed = plan.seed.wrapping_add(number as u64);
        let mut maker = Maker::new(seed, kind.ethernet);
        let outcome = hunt(kind.name, &fixture, &mut maker, share, plan.limit / count);
        done(&outcome);
        let is_over = outcome.past.is_some();
        outcomes.push(outcome);
        if is_over {
            break;
        }
    }
    outcomes
}

/// Sends frames over one link until all are sent, the time is over or something gets past.
fn hunt(
    link: &'static str,
    fixture: &Fixture,
    maker: &mut Maker,
    frames: u64,
    limit: Duration,
) -> Outcome {
    let start = Instant::now();
    let mut outcome = Outcome {
        link,
        sent: 0,
        judged: BTreeMap::new(),
        seen: 0,
        time: Duration::ZERO,
        culprits: Vec::new(),
        past: None,
    };
    take(fixture);
    let mut rounds: Vec<Vec<Frame>> = Vec::new();
    while outcome.sent < frames && start.elapsed() < limit {
        let mut round = if rounds.len() < KEPT {
            vec![Frame::default(); ROUND]
        } else {
            rounds.remove(0)
        };
        round.iter_mut().for_each(|frame| maker.frame(frame));
        fixture.injector.send(&round);
        outcome.sent += ROUND as u64;
        rounds.push(round);
        let count = take(fixture);
        outcome.seen += count.seen;
        if count.past > 0 {
            outcome.past = Some(ends(fixture));
            outcome.culprits = culprits(fixture, rounds.concat());
            break;
        }
    }
    outcome.time = start.elapsed();
    thread::sleep(SETTLE);
    let last = take(fixture);
    outcome.seen += last.seen;
    if last.past > 0 && outcome.past.is_none() {
        outcome.past = Some(ends(fixture));
        outcome.culprits = culprits(fixture, rounds.concat());
    }
    outcome.judged = judged(fixture);
    outcome
}

/// Counts of all judges since the last call.
fn take(fixture: &Fixture) -> Count {
    let counts = fixture.judges.iter().map(judge::Judge::take);
    counts.fold(Count::default(), |sum, count| Count {
        seen: sum.seen + count.seen,
        past: sum.past + count.past,
    })
}

/// hep's verdicts on all inbound packets, by reason.
fn judged(fixture: &Fixture) -> BTreeMap<String, u64> {
    let shown = fixture.daemon.show("counters");
    let counts = shown.as_array().into_iter().flatten();
    counts
        .filter(|count| {
            count["interface"] == INTERFACE
                && count["direction"] == "ingress"
                && count["verdict"] != "note"
        })
        .map(|count| {
            let reason = count["reason"].as_str().unwrap_or_default().to_owned();
            (reason, count["packets"].as_u64().unwrap_or_default())
        })
        .collect()
}

/// The ends of packets that got past, on the host and behind it.
fn ends(fixture: &Fixture) -> String {
    let ends = fixture.judges.iter().map(judge::Judge::ends);
    ends.collect::<Vec<_>>().join(" | ")
}

/// The fewest frames that still make one get past; none if it does not happen again.
fn culprits(fixture: &Fixture, frames: Vec<Frame>) -> Vec<Frame> {
    let gets_past = |frames: &[Frame]| {
        fixture.injector.send(frames);
        thread::sleep(SETTLE);
        take(fixture).past > 0
    };
    if !gets_past(&frames) {
        return Vec::new();
    }
    let mut best = frames;
    let mut length = best.len().div_ceil(2);
    while length > 0 {
        let mut begin = 0;
        while begin < best.len() && best.len() > 1 {
            let end = (begin + length).min(best.len());
            // Most often one half alone is enough.
            let part = best[begin..end].to_vec();
            let without = [&best[..begin], &best[end..]].concat();
            if length > 1 && part.len() < best.len() && gets_past(&part) {
                best = part;
                begin = 0;
                length = best.len().div_ceil(2);
            } else if !without.is_empty() && gets_past(&without) {
                best = without;
            } else {
                begin = end;
            }
        }
        length /= 2;
    }
    best
}
