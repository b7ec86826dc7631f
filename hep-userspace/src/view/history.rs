//! `hep history`: the policies that were in force.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Version;
use crate::daemon::state::{self, Journal, StateError};

/// The policies that were in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct History {
    /// Version of this shape.
    pub version: Version<1>,
    /// Policies, the newest first.
    pub items: Vec<Entry>,
}

/// A policy that was in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Generation that brought it into force.
    pub generation: u32,
    /// Whether it is in force.
    pub in_force: bool,
    /// Unix time at which it came into force, milliseconds.
    pub since_unix_ms: u64,
    /// Reason why: `directory change`, `try`, `rollback to N` or `resume`.
    pub cause: String,
    /// Outcome: `applied`, `on trial`, `confirmed` or `rolled back`.
    pub outcome: String,
    /// Number of resources.
    pub resources: usize,
    /// SHA-256 of its files.
    pub checksum: String,
    /// Directory that it was read from.
    pub directory: String,
    /// Whether its snapshot is readable and has the recorded checksum.
    pub intact: bool,
}

impl History {
    /// Reads the journal and the snapshots of a state directory; its daemon need not run.
    ///
    /// # Errors
    ///
    /// [`StateError`] if the journal cannot be read; a damaged snapshot is part of the answer.
    pub fn read(state_dir: &Path) -> Result<Self, StateError> {
        let journal = state::read_journal(state_dir)?;
        let is_intact = |entry: &state::Entry| match state::policy(state_dir, entry) {
            Ok(policy) => policy.checksum() == entry.checksum,
            Err(
                StateError::Io { .. }
                | StateError::Damaged(_)
                | StateError::Busy(_)
                | StateError::Shared(_),
            ) => false,
        };
        Ok(Self::new(&journal, is_intact))
    }

    fn new(journal: &Journal, is_intact: impl Fn(&state::Entry) -> bool) -> Self {
        let entries = journal.entries.iter().rev().map(|entry| Entry {
            generation: entry.generation,
            in_force: journal.in_force == Some(entry.generation),
            since_unix_ms: entry.since_unix_ms,
            cause: entry.cause.text(),
            outcome: entry.outcome.text().to_owned(),
            resources: entry.resources,
            checksum: entry.checksum.clone(),
            directory: entry.base.display().to_string(),
            intact: is_intact(entry),
        });
        Self {
            version: Version,
            items: entries.collect(),
        }
    }
}
