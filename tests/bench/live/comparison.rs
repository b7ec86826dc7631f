//! Contenders in turns over the same packets.

use std::{path::Path, thread, time::Duration};

use anyhow::{Error, Result, bail};
use hep_common::{conntrack::ASSURED_AFTER_NS, tick::TICK_NS};

use super::{
    contender::{self, Contender, Held},
    generator::{Course, Generator},
    policy::Policy,
    testbed::{Flow, Passage, Testbed},
};
use crate::{fixture::Yardsticks, interleave::Effort, interrupt};

/// Most packets of a turn.
const MAX_PACKETS: u32 = 1_000_000;
/// Least packets of a turn.
const MIN_PACKETS: u32 = 256;

/// Flows that are opened before they are answered.
const UNANSWERED: usize = 16_384;

/// State of the flows, and the expected verdict on their packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Every packet is accepted; each flow is an assured one.
    Established,
    /// Every packet is accepted; each flow has had one exchange a moment ago, so that it is not assured.
    /// Each round has tables of its own, in which it sends one packet of each flow.
    Exchanged,
    /// Every packet is accepted.
    Accepted,
    /// Every packet is the first of its flow, with new flows in each turn, and accepted.
    New,
    /// Every packet is dropped.
    Denied,
}

/// A comparison.
pub(super) struct Comparison<'a> {
    pub(super) title: &'a str,
    pub(super) policy: Policy,
    pub(super) flows: Vec<Flow>,
    pub(super) expect: Expect,
    pub(super) contenders: &'a [Contender],
    /// Another build of hep, to take turns with [`Contender::Hep`].
    pub(super) other: Option<&'a Path>,
}

/// Costs of a contender.
pub(crate) struct Score {
    pub(crate) contender: Contender,
    /// Median time of a packet.
    pub(crate) cost_ns: f64,
    /// Median of what a turn cost more than the turn of [`Contender::Nobody`] in the same round.
    pub(crate) added_ns: f64,
    /// Packets sent, in all turns.
    pub(crate) packets: u64,
    /// Packets that did not become what was expected.
    pub(crate) lost: u64,
    /// Why it could not take part.
    pub(crate) absent: Option<String>,
}

impl Score {
    /// That of someone who could not take part.
    fn of_absent(contender: Contender, error: &Error) -> Self {
        Self {
            contender,
            cost_ns: f64::NAN,
            added_ns: f64::NAN,
            packets: 0,
            lost: 0,
            absent: Some(format!("{error:#}")),
        }
    }
}

/// Whom the others are compared with.
pub(crate) fn subject(scores: &[Score]) -> Option<&Score> {
    scores
        .iter()
        .find(|score| matches!(score.contender, Contender::Hep | Contender::HepFriendly))
}

/// A contender on a testbed of its own.
struct Runner {
    contender: Contender,
    // What runs in the namespace goes before it: fields are dropped in this order.
    _held: Held,
    testbed: Testbed,
    packets: u32,
    turns: Vec<Passage>,
}

impl Comparison<'_> {
    /// Measures all contenders, in turns.
    pub(super) fn run(
        mut self,
        generator: &mut Generator,
        yardsticks: &mut Yardsticks,
        effort: Effort,
    ) -> Result<Vec<Score>> {
        if self.expect == Expect::Exchanged {
            return self.run_anew(generator, yardsticks, effort);
        }
        let (mut runners, absent) = self.start_all(generator, yardsticks)?;
        let mut course = self.course();
        generator.follow(&course)?;
        for runner in &mut runners {
            runner.packets = self.turn_length(runner, generator, &course, effort.turn)?;
        }
        for _round in 0..effort.rounds {
            if self.expect == Expect::New {
                self.renew();
                course = self.course();
            }
            for runner in &mut runners {
                interrupt::check()?;
                if self.expect == Expect::New {
                    generator.follow(&course)?;
                }
                let passage = runner.testbed.send(generator, &course, runner.packets)?;
                runner.turns.push(passage);
            }
        }
        let turns: Vec<_> = runners
            .into_iter()
            .map(|runner| (runner.contender, runner.turns))
            .collect();
        self.scores(&turns, absent)
    }

    /// Runs the comparison with every contender started anew in each round: no table has entries of an
    /// earlier round, and no flow has had another packet.
    fn run_anew(
        &self,
        generator: &mut Generator,
        yardsticks: &mut Yardsticks,
        effort: Effort,
    ) -> Result<Vec<Score>> {
        let course = self.course();
        let mut turns: Vec<(Contender, Vec<Passage>)> = Vec::new();
        let mut absent = Vec::new();
        for contender in self.contenders() {
            turns.push((contender, Vec::new()));
        }
        for _round in 0..effort.rounds {
            absent.clear();
            for (contender, turns) in &mut turns {
                interrupt::check()?;
                match self.start(*contender, generator, yardsticks) {
                    Ok(runner) => {
                        generator.follow(&course)?;
                        turns.push(runner.testbed.send(generator, &course, course.flows())?);
                    }
                    Err(error) => absent.push(Score::of_absent(*contender, &error)),
                }
            }
        }
        turns.retain(|(_, turns)| turns.len() == effort.rounds);
        self.scores(&turns, absent)
    }

    /// Starts every contender, one after the other; also returns those that could not be started.
    fn start_all(
        &self,
        generator: &mut Generator,
        yardsticks: &mut Yardsticks,
    ) -> Result<(Vec<Runner>, Vec<Score>)> {
        let (mut runners, mut absent) = (Vec::new(), Vec::new());
        for contender in self.contenders() {
            interrupt::check()?;
            match self.start(contender, generator, yardsticks) {
                Ok(runner) => runners.push(runner),
                Err(error) => absent.push(Score::of_absent(contender, &error)),
            }
        }
        Ok((runners, absent))
    }

    /// Scores of all contenders from their turns.
    fn scores(
        &self,
        turns: &[(Contender, Vec<Passage>)],
        absent: Vec<Score>,
    ) -> Result<Vec<Score>> {
        let baseline: Vec<f64> = turns
            .first()
            .map(|(_, turns)| turns.iter().map(|turn| turn.cost_ns).collect())
            .unwrap_or_default();
        let mut scores: Vec<Score> = turns
            .iter()
            .map(|(contender, turns)| self.score(*contender, turns, &baseline))
            .collect();
        scores.extend(absent);
        if let Some(score) = scores.iter().find(|score| score.lost > 0) {
            bail!(
                "{}: {} of {} packets through {} did not become what they should",
                self.title,
                score.lost,
                score.packets,
                score.contender.name()
            );
        }
        Ok(scores)
    }

    /// Who takes part, in the order of turns.
    fn contenders(&self) -> Vec<Contender> {
        let mut contenders = vec![Contender::Nobody];
        for contender in self.contenders {
            contenders.push(*contender);
            if *contender == Contender::Hep && self.other.is_some() {
                contenders.push(Contender::HepOther);
            }
        }
        contenders
    }

    /// Makes a testbed with a contender on it, and opens the flows that must exist before.
    fn start(
        &self,
        contender: Contender,
        generator: &mut Generator,
        yardsticks: &mut Yardsticks,
    ) -> Result<Runner> {
        let testbed = Testbed::new(self.policy.way, &[self.policy.last_port()])?;
        let held = contender::install(contender, self.policy, &testbed, self.other, yardsticks)?;
        if matches!(self.expect, Expect::Established | Expect::Exchanged) {
            // A piece at a time: not every contender keeps 100 000 flows that nobody answered.
            for flows in self.flows.chunks(UNANSWERED) {
                let course = Course::new(flows.iter().map(|flow| flow.packet(self.policy.way)));
                generator.follow(&course)?;
                testbed.send(generator, &course, course.flows())?;
                testbed.answer(generator, flows)?;
            }
        }
        if self.expect == Expect::Established {
            // Only who speaks on for a while is known to hear the answers.
            thread::sleep(Duration::from_nanos(ASSURED_AFTER_NS + 2 * TICK_NS));
            let course = self.course();
            generator.follow(&course)?;
            testbed.send(generator, &course, course.flows())?;
        }
        Ok(Runner {
            contender,
            _held: held,
            testbed,
            packets: 0,
            turns: Vec::new(),
        })
    }

    fn course(&self) -> Course {
        Course::new(self.flows.iter().map(|flow| flow.packet(self.policy.way)))
    }

    /// Gives every flow another port.
    fn renew(&mut self) {
        for flow in &mut self.flows {
            flow.source_port = flow.source_port.wrapping_add(1);
        }
    }

    /// How many packets fill a turn; also the first packets, which warm everything up.
    fn turn_length(
        &self,
        runner: &Runner,
        generator: &mut Generator,
        course: &Course,
        turn: Duration,
    ) -> Result<u32> {
        if self.expect == Expect::New {
            runner.testbed.send(generator, course, course.flows())?;
            return Ok(course.flows());
        }
        let probe = runner.testbed.send(generator, course, MIN_PACKETS)?;
        let wanted = turn.as_secs_f64() * 1e9 / probe.cost_ns.max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of u32"
        )]
        Ok(wanted.clamp(f64::from(MIN_PACKETS), f64::from(MAX_PACKETS)) as u32)
    }

    fn score(&self, contender: Contender, turns: &[Passage], baseline: &[f64]) -> Score {
        let is_denied = self.expect == Expect::Denied && contender != Contender::Nobody;
        let lost = turns.iter().map(|turn| {
            let wrong = if is_denied {
                turn.accepted
            } else {
                turn.sent.saturating_sub(turn.accepted)
            };
            wrong.max(turn.sent.saturating_sub(turn.received))
        });
        let added = turns.iter().zip(baseline);
        Score {
            contender,
            cost_ns: median(turns.iter().map(|turn| turn.cost_ns)),
            added_ns: median(added.map(|(turn, baseline)| turn.cost_ns - baseline)),
            packets: turns.iter().map(|turn| turn.sent).sum(),
            lost: lost.sum(),
            absent: None,
        }
    }
}

/// The middle one.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
