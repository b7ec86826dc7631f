//! The journal's first format: a trial, a hold and a panic side by side, of which not every combination had
//! a meaning.

use serde::Deserialize;

use super::{
    super::mode::{Basis, Frozen, Mode, Panic, Trial},
    journal::{Entry, FORMAT, Journal, Settings},
};

/// A journal of format 1.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Journal1 {
    entries: Vec<Entry>,
    in_force: Option<u32>,
    trial: Option<Trial>,
    held: Option<Frozen>,
    panic: Option<Panic1>,
    installing: Option<u32>,
    settings: Option<Settings>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panic1 {
    since_unix_ms: u64,
}

impl From<Journal1> for Journal {
    fn from(old: Journal1) -> Self {
        let basis = match (old.trial, old.held) {
            (Some(trial), frozen) => Basis::Trial(trial.over(frozen)),
            (None, Some(frozen)) => Basis::Frozen(frozen),
            (None, None) => Basis::Following,
        };
        Self {
            format: FORMAT,
            entries: old.entries,
            in_force: old.in_force,
            mode: match old.panic {
                None => Mode::Calm(basis),
                Some(panic) => Mode::Panic(Panic {
                    since_unix_ms: panic.since_unix_ms,
                    over: basis,
                }),
            },
            installing: old.installing,
            settings: old.settings,
        }
    }
}
