//! Operators' decisions that take precedence over the policy directory.

use schemars::JsonSchema;
use serde::Serialize;

use crate::daemon::status;

/// A policy on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Its generation; 0 while it is being applied.
    pub generation: u32,
    /// Generation of the policy to roll back to unless confirmed.
    pub back_to: u32,
    /// Directory that it was read from.
    pub policy_dir: String,
    /// Length of the trial, milliseconds.
    pub timeout_ms: u64,
    /// Time left, milliseconds.
    pub left_ms: u64,
    /// Unix time of its end by the present time of day, milliseconds.
    pub ends_unix_ms: u64,
}

impl From<&status::TrialStatus> for Trial {
    fn from(trial: &status::TrialStatus) -> Self {
        Self {
            generation: trial.generation,
            back_to: trial.back_to,
            policy_dir: trial.policy_dir.display().to_string(),
            timeout_ms: trial.timeout_ms,
            left_ms: trial.left_ms,
            ends_unix_ms: trial.ends_unix_ms,
        }
    }
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EndedTrial {
    /// Its generation.
    pub generation: u32,
    /// Whether it was confirmed; else it was rolled back.
    pub confirmed: bool,
}

impl From<&status::EndedTrial> for EndedTrial {
    fn from(trial: &status::EndedTrial) -> Self {
        Self {
            generation: trial.generation,
            confirmed: trial.confirmed,
        }
    }
}

/// A policy that a rollback brought back, in force until the store's content changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// Generation of the policy that was brought back.
    pub generation: u32,
    /// Unix time of its beginning, milliseconds.
    pub since_unix_ms: u64,
}

impl From<&status::FrozenStatus> for Frozen {
    fn from(frozen: &status::FrozenStatus) -> Self {
        Self {
            generation: frozen.generation,
            since_unix_ms: frozen.since_unix_ms,
        }
    }
}

/// The panic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Panic {
    /// Unix time of its beginning, milliseconds.
    pub since_unix_ms: u64,
}

impl From<&status::PanicStatus> for Panic {
    fn from(panic: &status::PanicStatus) -> Self {
        Self {
            since_unix_ms: panic.since_unix_ms,
        }
    }
}
