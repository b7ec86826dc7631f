//! What only the daemon knows.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{
    local_in::LocalInStatus,
    state::{Cause, Journal, Moment, Outcome},
};
use crate::validate::Problem;

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
    /// What the host is called, if the node's name is to follow that and does not yet.
    #[serde(default)]
    pub host_name: Option<String>,
    /// The policy directory; empty if it only follows the interfaces (`hep boot`).
    pub policy_dir: PathBuf,
    /// Policy is in force and interfaces are attached as it says.
    pub ready: bool,
    /// The generation that this is said of.
    pub generation: u32,
    /// What is in force is not what the directory says, and why.
    pub degraded: Option<String>,
    /// The directory's present state is not obeyed, and why.
    pub holding: Option<String>,
    /// Unix time of the last load that was tried, milliseconds.
    pub last_load_unix_ms: u64,
    /// What the load that came into force last wrote.
    #[serde(default)]
    pub written: Written,
    /// Problems of the last load, warnings included.
    pub problems: Vec<ReportedProblem>,
    /// What was decided beside the policy directory.
    pub decided: Decided,
    /// The policy directory changed since it is not followed.
    pub directory_changed: bool,
    /// Whether what the kernel translates into this host is judged again.
    #[serde(default)]
    pub local_in: LocalInStatus,
}

/// What a load wrote into the kernel's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// Entries that differed from what was there.
    pub written: usize,
    /// Entries of all tables.
    pub entries: usize,
}

/// What operators decided beside the policy directory, as it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// A policy on trial.
    pub trial: Option<TrialStatus>,
    /// The trial that ended last.
    pub last_trial: Option<EndedTrial>,
    /// The policy directory is not followed.
    pub held: Option<HeldStatus>,
    /// Only failsafes and established flows pass.
    pub panic: Option<PanicStatus>,
}

/// A policy on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrialStatus {
    /// Its generation; 0 while it is being brought into force.
    pub generation: u32,
    /// Generation of the policy that comes back unless it is confirmed.
    pub back_to: u32,
    /// The directory that it was read from.
    pub policy_dir: PathBuf,
    /// How long it may last, milliseconds.
    pub timeout_ms: u64,
    /// How long it lasts from now on, milliseconds.
    pub left_ms: u64,
    /// Unix time of its end as the clock stands now, milliseconds.
    pub ends_unix_ms: u64,
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedTrial {
    /// Its generation.
    pub generation: u32,
    /// It was confirmed; else the policy before it is back.
    pub confirmed: bool,
}

/// The policy directory is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldStatus {
    /// Generation of the policy that was brought back.
    pub generation: u32,
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
}

/// Only failsafes and established flows pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PanicStatus {
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
}

impl Decided {
    /// What a journal says at `now`.
    #[must_use]
    pub fn of(journal: &Journal, now: &Moment) -> Self {
        let ended = |outcome: Outcome| matches!(outcome, Outcome::Confirmed | Outcome::RolledBack);
        Self {
            trial: journal.trial.as_ref().map(|trial| {
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
            held: journal.held.as_ref().map(|held| HeldStatus {
                generation: held.generation,
                since_unix_ms: held.since_unix_ms,
            }),
            panic: journal.panic.as_ref().map(|panic| PanicStatus {
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
    /// All of it as one line.
    pub text: String,
}

impl From<&Problem> for ReportedProblem {
    fn from(problem: &Problem) -> Self {
        Self {
            severity: problem.severity.name().to_owned(),
            code: problem.code.to_owned(),
            file: problem.position.file.display().to_string(),
            line: problem.position.line,
            column: problem.position.column,
            kind: problem.kind.clone(),
            name: problem.name.clone(),
            field: problem.field.clone(),
            text: problem.to_string(),
        }
    }
}

/// The report, shared between the loop that writes it and the socket that tells it.
#[derive(Clone, Debug, Default)]
pub struct SharedReport(Arc<Mutex<Report>>);

impl SharedReport {
    /// A report to begin with.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self(Arc::new(Mutex::new(report)))
    }

    /// The report, to read or change.
    pub fn lock(&self) -> MutexGuard<'_, Report> {
        // Fields are set one by one: a writer that panicked left no broken state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wall clock, milliseconds since 1970.
#[must_use]
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| {
            u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
        })
}
