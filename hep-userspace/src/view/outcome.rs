//! Results of commands that change what is in force.

use schemars::JsonSchema;
use serde::Serialize;

use super::Version;
use crate::daemon::control::Done;

/// The result of `hep confirm`, `rollback`, `panic` or `resume`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Outcome {
    /// Version of this shape.
    pub version: Version<1>,
    /// Generation in force now.
    pub generation: u32,
    /// The result in one line.
    pub text: String,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        Self {
            version: Version,
            generation: done.generation,
            text: done.text,
            warnings: done.warnings,
        }
    }
}

/// The result of `hep try`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TrialOutcome {
    /// Version of this shape.
    pub version: Version<1>,
    /// Generation on trial; null if the daemon died before it had assigned one.
    pub generation: Option<u32>,
    /// Whether it was confirmed, else rolled back; null while the trial runs (`--detach`).
    pub confirmed: Option<bool>,
    /// The result in one line.
    pub text: String,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

impl TrialOutcome {
    /// A trial that has begun.
    #[must_use]
    pub fn begun(done: Done) -> Self {
        Self {
            version: Version,
            generation: Some(done.generation),
            confirmed: None,
            text: done.text,
            warnings: done.warnings,
        }
    }

    /// A trial that is over.
    #[must_use]
    pub fn ended(generation: Option<u32>, confirmed: bool) -> Self {
        let text = match generation {
            Some(generation) if confirmed => format!("generation {generation} is confirmed"),
            Some(generation) => {
                format!("generation {generation} is rolled back; the policy before is in force")
            }
            None => "the daemon died over it; the policy before is in force".to_owned(),
        };
        Self {
            version: Version,
            generation,
            confirmed: Some(confirmed),
            text,
            warnings: Vec::new(),
        }
    }
}

/// The result of `hep down`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Removal {
    /// Version of this shape.
    pub version: Version<1>,
    /// Number of interfaces that had programs.
    pub interfaces: usize,
}

impl Removal {
    /// The result for a number of interfaces.
    #[must_use]
    pub const fn new(interfaces: usize) -> Self {
        Self {
            version: Version,
            interfaces,
        }
    }
}
