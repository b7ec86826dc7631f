//! Running a case and telling how it went.

use std::{path::Path, time::Instant};

use serde::Serialize;

use super::{Case, Expect, KernelEngine, LoadedCase, PacketCase, kernel::KernelVerdict};
use crate::{
    compile::RuleDescription,
    reference::{Decider, Judgement, Packet, Place, Reference},
};

/// Interface indexes to use when the kernel engine does not run.
const NO_DEVICES: [u32; 64] = {
    let mut devices = [0; 64];
    let mut number = 0;
    while number < 64 {
        devices[number as usize] = number + 1;
        number += 1;
    }
    devices
};

/// Who judges.
pub enum Engines<'k> {
    /// The reference evaluator.
    Reference,
    /// The programs in the kernel.
    Kernel(&'k mut KernelEngine),
    /// Both, and they have to agree on the rule, too.
    Both(&'k mut KernelEngine),
}

/// How a case went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseReport {
    /// The case's name.
    pub id: String,
    /// The case's remark.
    pub why: String,
    /// Number of packets.
    pub packets: usize,
    /// How long it took.
    pub seconds: f64,
    /// Why the case could not be judged at all.
    pub error: Option<String>,
    /// The packets that did not get what they should.
    pub failures: Vec<Failure>,
}

impl CaseReport {
    /// Whether everything was as it should be.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.error.is_none() && self.failures.is_empty()
    }
}

/// Verdict of an engine on a packet, and how it got there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineReport {
    /// `reference` or `kernel`.
    pub engine: &'static str,
    /// Verdict.
    pub verdict: Expect,
    /// Name of the reason.
    pub reason: String,
    /// The rule or stage that decided.
    pub place: Place,
    /// The steps to the verdict, as far as the engine records them.
    pub trace: Vec<String>,
}

/// A packet that did not get what it should.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Place of the packet in its case, from 0.
    pub index: usize,
    /// The packet in words.
    pub packet: String,
    /// The packet's remark.
    pub why: String,
    /// The verdict it should get.
    pub expect: Expect,
    /// The failure, in one line.
    pub problem: String,
    /// Verdicts of the engines.
    pub got: Vec<EngineReport>,
}

/// Judges all packets of a case; paths of its resources start at `directory`.
#[must_use]
pub fn run_case(case: &Case, directory: &Path, engines: &mut Engines<'_>) -> CaseReport {
    let mut report = CaseReport {
        id: case.id.clone(),
        why: case.why.clone(),
        packets: case.packets.len(),
        seconds: 0.0,
        error: None,
        failures: Vec::new(),
    };
    let start = Instant::now();
    match judge_all(case, directory, engines) {
        Ok(failures) => report.failures = failures,
        Err(error) => report.error = Some(chain(&*error)),
    }
    report.seconds = start.elapsed().as_secs_f64();
    report
}

/// An error and its causes, joined by colons.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn judge_all(
    case: &Case,
    directory: &Path,
    engines: &mut Engines<'_>,
) -> Result<Vec<Failure>, Box<dyn std::error::Error>> {
    let devices = match engines {
        Engines::Reference => NO_DEVICES.to_vec(),
        Engines::Kernel(kernel) | Engines::Both(kernel) => kernel.devices().to_vec(),
    };
    let loaded = LoadedCase::load(case, directory, &devices)?;
    let reference = Reference::new(
        &loaded.snapshot,
        &loaded.node,
        &loaded.interfaces,
        loaded.options,
    );
    let mut verdicts = Vec::new();
    if let Engines::Kernel(kernel) | Engines::Both(kernel) = engines {
        kernel.load(&loaded)?;
        verdicts = kernel.judge(&loaded.packets)?;
    }
    let mut failures = Vec::new();
    for (index, (expected, packet)) in case.packets.iter().zip(&loaded.packets).enumerate() {
        let judgement = reference.judge(packet);
        let verdict = verdicts.get(index);
        let mut got = Vec::new();
        if !matches!(engines, Engines::Kernel(_)) {
            got.push(reference_report(&judgement));
        }
        got.extend(verdict.map(kernel_report));
        let problem = got
            .iter()
            .find_map(|report| unmet(expected, report))
            .or_else(|| verdict.and_then(torn))
            .or_else(|| match (&engines, verdict) {
                (Engines::Both(_), Some(verdict)) => disagreement(&judgement, verdict),
                _ => None,
            });
        if let Some(problem) = problem {
            if matches!(engines, Engines::Kernel(_)) {
                got.push(reference_report(&judgement));
            }
            failures.push(failure(index, expected, packet, problem, got));
        }
    }
    Ok(failures)
}

fn failure(
    index: usize,
    expected: &PacketCase,
    packet: &Packet,
    problem: String,
    got: Vec<EngineReport>,
) -> Failure {
    Failure {
        index,
        packet: packet.to_string(),
        why: expected.why.clone(),
        expect: expected.expect,
        problem,
        got,
    }
}

/// The first expectation of the case that `report` does not meet, as a message.
fn unmet(expected: &PacketCase, report: &EngineReport) -> Option<String> {
    let engine = report.engine;
    if report.verdict != expected.expect {
        let (want, got) = (expected.expect.name(), report.verdict.name());
        return Some(format!("expected {want}, {engine} says {got}"));
    }
    if let Some(reason) = &expected.reason
        && *reason != report.reason
    {
        return Some(format!(
            "expected reason {reason}, {engine} says {}",
            report.reason
        ));
    }
    let place = report.place.to_string();
    if let Some(rule) = &expected.rule
        && !rule.split_whitespace().all(|word| place.contains(word))
    {
        return Some(format!("expected rule {rule}, {engine} says {place}"));
    }
    None
}

/// The failure message if a later fragment does not get the verdict of the first (EV-179).
fn torn(verdict: &KernelVerdict) -> Option<String> {
    let word = |passes| Expect::of(passes).name();
    let later = verdict
        .later_passes
        .filter(|later| *later != verdict.passes)?;
    let (first, later) = (word(verdict.passes), word(later));
    Some(format!(
        "kernel says {first} to the first fragment and {later} to the later one"
    ))
}

/// How the two engines' verdicts differ, if they do.
#[must_use]
pub fn disagreement(judgement: &Judgement<'_>, verdict: &KernelVerdict) -> Option<String> {
    if let Some(problem) = torn(verdict) {
        return Some(problem);
    }
    if judgement.reason != verdict.reason {
        return Some(format!(
            "reference says {} ({}), kernel says {} ({})",
            judgement.reason.name(),
            judgement.place(),
            verdict.reason.name(),
            verdict.place(),
        ));
    }
    if verdict.passes != judgement.reason.allows() {
        return Some(format!(
            "the kernel's return value contradicts its reason {}",
            verdict.reason.name()
        ));
    }
    match (&judgement.decider, &verdict.rule) {
        (Decider::Rule(_) | Decider::EndOfTier(..), Some(rule))
            if !is_same_rule(&judgement.place(), rule) =>
        {
            Some(format!(
                "reference says {}, kernel says {}",
                judgement.place(),
                verdict.place()
            ))
        }
        (Decider::Rule(_) | Decider::EndOfTier(..), None) => Some(format!(
            "reference says {}, kernel names no rule",
            judgement.place()
        )),
        _ => None,
    }
}

/// Whether the two descriptions mean one rule: the same place in the same policy, or the end of the
/// same tier.
fn is_same_rule(place: &Place, rule: &RuleDescription) -> bool {
    place.tier == rule.tier
        && place.policy == rule.policy
        && (place.policy.is_empty() || place.rule == rule.rule)
}

fn reference_report(judgement: &Judgement<'_>) -> EngineReport {
    EngineReport {
        engine: "reference",
        verdict: Expect::of(judgement.allows()),
        reason: judgement.reason.name().to_owned(),
        place: judgement.place(),
        trace: judgement.trace_lines(),
    }
}

fn kernel_report(verdict: &KernelVerdict) -> EngineReport {
    EngineReport {
        engine: "kernel",
        verdict: Expect::of(verdict.passes),
        reason: verdict.reason.name().to_owned(),
        place: verdict.place(),
        trace: verdict.trace(),
    }
}
