//! Judging a case by both engines.

use std::path::Path;

use anyhow::{Context as _, Result};
use hep_userspace::{
    cases::{Case, Expect, KernelEngine, LoadError, LoadedCase, disagreement},
    reference::Reference,
};

use super::generate;

/// How far a run got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Resource sets that were judged.
    pub sets: u64,
    /// Resource sets that were not valid.
    pub invalid: u64,
    /// Packets that both engines judged alike.
    pub packets: u64,
    /// Those of them that passed.
    pub allowed: u64,
    /// Those that a policy or profile rule, or the end of a tier, decided.
    pub by_rule: u64,
}

/// What one case came to.
pub enum Outcome {
    /// The engines agree on every packet.
    Agree,
    /// The resources are not valid.
    Invalid,
    /// The engines disagree on the one packet of this case.
    Disagree(Box<Case>, String),
}

/// Judges the case of a seed.
///
/// # Errors
///
/// If an engine refuses.
pub fn run_seed(
    seed: u64,
    packets: usize,
    kernel: &mut KernelEngine,
    tally: &mut Tally,
) -> Result<Outcome> {
    run_case(&generate(seed, packets), kernel, tally).with_context(|| format!("seed {seed}"))
}

/// Judges a case, up to the first packet on which the engines disagree.
pub(super) fn run_case(
    case: &Case,
    kernel: &mut KernelEngine,
    tally: &mut Tally,
) -> Result<Outcome> {
    let loaded = match LoadedCase::load(case, Path::new("."), kernel.devices()) {
        Ok(loaded) => loaded,
        Err(LoadError::Invalid(_)) => {
            tally.invalid += 1;
            return Ok(Outcome::Invalid);
        }
        Err(error) => return Err(error.into()),
    };
    let reference = Reference::new(
        &loaded.snapshot,
        &loaded.node,
        &loaded.interfaces,
        loaded.options,
    );
    kernel.load(&loaded)?;
    tally.sets += 1;
    let verdicts = kernel.judge(&loaded.packets)?;
    for ((packet, written), verdict) in loaded.packets.iter().zip(&case.packets).zip(&verdicts) {
        let judgement = reference.judge(packet);
        if let Some(problem) = disagreement(&judgement, verdict) {
            let mut written = written.clone();
            written.expect = Expect::of(judgement.allows());
            let alone = Case {
                packets: vec![written],
                ..case.clone()
            };
            return Ok(Outcome::Disagree(Box::new(alone), problem));
        }
        tally.packets += 1;
        tally.allowed += u64::from(judgement.allows());
        tally.by_rule += u64::from(!judgement.place().stage.is_empty());
    }
    Ok(Outcome::Agree)
}
