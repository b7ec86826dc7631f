//! The daemon's report: the part of `hep status` that is not in the kernel's maps.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{
    clock::Moment,
    local_in::LocalInStatus,
    state::{Cause, Journal, Outcome},
};
use crate::{store::follow, validate::Problem};

/// The daemon's own part of `hep status`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Process number.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Unix time of the start, milliseconds.
    pub started_unix_ms: u64,
    /// This node's name.
    pub node: String,
    /// The host's name, if the node's name is to follow it and does not yet.
    #[serde(default)]
    pub host_name: Option<String>,
    /// The policy directory; empty if the process only follows the interfaces (`hep boot`).
    pub policy_dir: PathBuf,
    /// Whether policy is in force and attached on every interface that it covers.
    pub ready: bool,
    /// The generation in force.
    pub generation: u32,
    /// Reason why the policy in force is not the directory's, if so.
    pub degraded: Option<String>,
    /// Reason why the store's present content is not trusted (missing or empty), if so.
    #[serde(alias = "holding")]
    pub untrusted: Option<String>,
    /// Unix time of the last load attempt, milliseconds.
    pub last_load_unix_ms: u64,
    /// Amount that the last load in force wrote.
    #[serde(default)]
    pub written: Written,
    /// Problems of the last load, warnings included.
    pub problems: Vec<ReportedProblem>,
    /// Operators' decisions that take precedence over the policy directory.
    pub decided: Decided,
    /// Whether the policy directory changed since it stopped being followed.
    pub directory_changed: bool,
    /// The state of the store, if it is one of objects.
    #[serde(default)]
    pub store: Option<follow::Report>,
    /// Whether packets that the kernel translates into this host are judged again.
    #[serde(default)]
    pub local_in: LocalInStatus,
}

/// Amount that a load wrote into the kernel's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Number of entries that differed and were written.
    pub written: usize,
    /// Number of entries in all tables.
    pub entries: usize,
}

/// Operators' present decisions that take precedence over the policy directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// The policy on trial, if any.
    pub trial: Option<TrialStatus>,
    /// The trial that ended last.
    pub last_trial: Option<EndedTrial>,
    /// The policy that a rollback brought back, if it stays until the store changes.
    #[serde(alias = "held")]
    pub frozen: Option<FrozenStatus>,
    /// The panic, if on: only failsafes and established flows pass.
    pub panic: Option<PanicStatus>,
}

/// A policy on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialStatus {
    /// Its generation; 0 while it is being applied.
    pub generation: u32,
    /// Generation of the policy to roll back to unless confirmed.
    pub back_to: u32,
    /// The directory that it was read from.
    pub policy_dir: PathBuf,
    /// Length of the trial, milliseconds.
    pub timeout_ms: u64,
    /// Time left, milliseconds.
    pub left_ms: u64,
    /// Unix time of its end by the present time of day, milliseconds.
    pub ends_unix_ms: u64,
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedTrial {
    /// Its generation.
    pub generation: u32,
    /// Whether it was confirmed; else it was rolled back.
    pub confirmed: bool,
}

/// A policy that a rollback brought back; the store is not followed until it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenStatus {
    /// Generation of the policy that was brought back.
    pub generation: u32,
    /// Unix time of its beginning, milliseconds.
    pub since_unix_ms: u64,
}

/// The panic: only failsafes and established flows pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PanicStatus {
    /// Unix time of its beginning, milliseconds.
    pub since_unix_ms: u64,
}

impl Decided {
    /// The decisions of a journal at `now`.
    #[must_use]
    pub fn of(journal: &Journal, now: &Moment) -> Self {
        let ended = |outcome: Outcome| matches!(outcome, Outcome::Confirmed | Outcome::RolledBack);
        Self {
            trial: journal.mode.trial().map(|trial| {
                let generation = trial.generation.unwrap_or(0);
                let entry = journal.entry(generation);
                TrialStatus {
                    generation,
                    back_to: trial.back_to,
                    policy_dir: entry.map_or_else(PathBuf::new, |entry| entry.base.clone()),
                    timeout_ms: trial.timeout_ms,
                    left_ms: u64::try_from(trial.left(now).as_millis()).unwrap_or(u64::MAX),
                    ends_unix_ms: trial.ends_unix_ms(now),
                }
            }),
            last_trial: journal
                .entries
                .iter()
                .rev()
                .find(|entry| entry.cause == Cause::Try && ended(entry.outcome))
                .map(|entry| EndedTrial {
                    generation: entry.generation,
                    confirmed: entry.outcome == Outcome::Confirmed,
                }),
            frozen: journal.mode.frozen().map(|frozen| FrozenStatus {
                generation: frozen.generation,
                since_unix_ms: frozen.since_unix_ms,
            }),
            panic: journal.mode.panic().map(|panic| PanicStatus {
                since_unix_ms: panic.since_unix_ms,
            }),
        }
    }
}

/// A problem of the last load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedProblem {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// Stable code.
    pub code: String,
    /// File.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Column, from 1; 0 if there is none.
    pub column: u32,
    /// Kind of the resource.
    pub kind: String,
    /// Name of the resource.
    pub name: String,
    /// Path of the field.
    pub field: String,
    /// The mistake, with the offending value and the advice.
    #[serde(default)]
    pub message: String,
    /// The offending value.
    #[serde(default)]
    pub got: Option<String>,
    /// The text to write instead.
    #[serde(default)]
    pub advice: String,
    /// The whole problem as one line.
    pub text: String,
}

impl From<&Problem> for ReportedProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: problem.severity.name().to_owned(),
            code: problem.code.to_string(),
            file: problem.position.origin.to_string(),
            line: problem.position.line,
            column: problem.position.column,
            kind: problem.kind.clone(),
            name: problem.name.clone(),
            field: problem.field.clone(),
            message: problem.text(),
            got: problem.got.clone(),
            advice: problem.advice.clone(),
            text: problem.to_string(),
        }
    }
}

/// The report, shared between the loop that writes it and the sockets that send it.
#[derive(Clone, Debug, Default)]
pub struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    /// Creates a shared report.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self(Arc::new(Mutex::new(report)))
    }

    /// Locks the report for reading or writing.
    pub fn lock(&self) -> MutexGuard<'_, Report> {
        // Fields are set one by one, so a writer that panicked left no inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
