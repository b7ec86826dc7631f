//! Judging a case by both engines.

use std::path::Path;

use anyhow::{Context as _, Result};
use hep_userspace::{
    cases::{
        Case, Expect, KernelEngine, KernelVerdict, LoadError, LoadedCase, PacketCase, disagreement,
    },
    reference::{Judgement, Packet, Reference},
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

/// Outcome of one case.
pub enum Outcome {
    /// The engines agree on every packet.
    Agree,
    /// The resources are not valid.
    Invalid,
    /// The engines disagree on the last packet of this case.
    Disagree(Box<Case>, String),
}

/// Where the engines were first seen to disagree, for packets of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The resource set is that of this seed.
    pub seed: u64,
    /// Resource sets until then, this one included.
    pub sets: u64,
    /// Packets of the family until then, this one included.
    pub packets: u64,
    /// The disagreement, as text.
    pub problem: String,
}

/// A search for the first disagreement in each wanted family.
#[derive(Clone, Debug)]
pub struct Hunt {
    wanted: [bool; 2],
    sets: u64,
    packets: [u64; 2],
    found: [Option<Found>; 2],
}

impl Hunt {
    /// A search that has not begun; `wanted` is about IPv4, then IPv6.
    #[must_use]
    pub const fn new(wanted: [bool; 2]) -> Self {
        Self {
            wanted,
            sets: 0,
            packets: [0; 2],
            found: [None, None],
        }
    }

    /// Judges the case of a seed; packets of a family in which a disagreement was found count no
    /// more.
    ///
    /// # Errors
    ///
    /// If an engine refuses.
    pub fn seed(&mut self, seed: u64, packets: usize, kernel: &mut KernelEngine) -> Result<()> {
        let case = generate(seed, packets);
        let judged = judge(&case, kernel, |packet, judgement, verdict| {
            let family = usize::from(packet.source.is_ipv6());
            if self.found[family].is_none() {
                self.packets[family] += 1;
                self.found[family] = disagreement(judgement, verdict).map(|problem| Found {
                    seed,
                    sets: self.sets + 1,
                    packets: self.packets[family],
                    problem,
                });
            }
            self.is_over()
        })?;
        self.sets += u64::from(judged);
        Ok(())
    }

    /// Whether all wanted families have one.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut families = self.wanted.iter().zip(&self.found);
        families.all(|(wanted, found)| !wanted || found.is_some())
    }

    /// The disagreements found: IPv4, then IPv6.
    #[must_use]
    pub const fn found(&self) -> &[Option<Found>; 2] {
        &self.found
    }
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
    let mut until = Vec::new();
    let mut outcome = Outcome::Agree;
    let judged = judge(case, kernel, |_, judgement, verdict| {
        until.push(PacketCase {
            expect: Expect::of(judgement.allows()),
            ..case.packets[until.len()].clone()
        });
        if let Some(problem) = disagreement(judgement, verdict) {
            let case = Case {
                packets: std::mem::take(&mut until),
                ..case.clone()
            };
            outcome = Outcome::Disagree(Box::new(case), problem);
            return true;
        }
        tally.packets += 1;
        tally.allowed += u64::from(judgement.allows());
        tally.by_rule += u64::from(!judgement.place().stage.is_empty());
        false
    })?;
    if !judged {
        tally.invalid += 1;
        return Ok(Outcome::Invalid);
    }
    tally.sets += 1;
    Ok(outcome)
}

/// Passes each packet of a case with both engines' verdicts to `look`, until that returns true; returns
/// whether the resources are valid at all.
fn judge(
    case: &Case,
    kernel: &mut KernelEngine,
    mut look: impl FnMut(&Packet, &Judgement<'_>, &KernelVerdict) -> bool,
) -> Result<bool> {
    let loaded = match LoadedCase::load(case, Path::new("."), kernel.devices()) {
        Ok(loaded) => loaded,
        Err(LoadError::Invalid(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let reference = Reference::new(
        &loaded.snapshot,
        &loaded.node,
        &loaded.interfaces,
        loaded.options,
    );
    kernel.load(&loaded)?;
    for (packet, verdict) in loaded.packets.iter().zip(kernel.judge(&loaded.packets)?) {
        if look(packet, &reference.judge(packet), &verdict) {
            break;
        }
    }
    Ok(true)
}
