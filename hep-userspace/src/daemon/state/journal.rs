//! The journal: what is meant to be in force, and why.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::{
    mode::{Event, Mode},
    options::Options,
};
use crate::model::{Behaviour, NodeName};

/// Version of the journal's format.
pub(super) const FORMAT: u32 = 2;

/// All decisions that a daemon must know when it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// Version of the format, `FORMAT`.
    pub format: u32,
    /// Policies that came into force, oldest first.
    pub entries: Vec<Entry>,
    /// Generation of the entry in force, unless a panic overrides it.
    pub in_force: Option<u32>,
    /// The decision about the policy in force.
    pub mode: Mode,
    /// A confirmed policy whose files may not all be in the policy directory yet.
    pub installing: Option<u32>,
    /// Options of the last daemon.
    pub settings: Option<Settings>,
}

/// A policy that came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Generation that brought it into force.
    pub generation: u32,
    /// Unix time of the load, milliseconds.
    pub since_unix_ms: u64,
    /// Cause of the load.
    pub cause: Cause,
    /// Its outcome.
    pub outcome: Outcome,
    /// Number of resources that were written.
    pub resources: usize,
    /// Checksum of the files' names, relative to `base`, and texts.
    pub checksum: String,
    /// The directory that the files' names are relative to.
    pub base: PathBuf,
}

impl Entry {
    /// Whether it may be brought back without being requested by its number.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Applied | Outcome::Confirmed)
    }
}

/// Why a policy came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Cause {
    /// The store held it.
    #[serde(rename = "directory")]
    Store,
    /// `hep try`.
    Try,
    /// `hep rollback`.
    Rollback {
        /// The generation that was brought back.
        to: u32,
    },
    /// `hep resume`.
    Resume,
}

impl Cause {
    /// For people.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Store => "directory change".to_owned(),
            Self::Try => "try".to_owned(),
            Self::Rollback { to } => format!("rollback to {to}"),
            Self::Resume => "resume".to_owned(),
        }
    }
}

/// The outcome of a policy that came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was applied without a trial.
    Applied,
    /// It is on trial.
    Trying,
    /// It was on trial and was confirmed.
    Confirmed,
    /// It was rolled back to an earlier policy.
    RolledBack,
}

impl Outcome {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Trying => "on trial",
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled back",
        }
    }
}

/// Options of `hep run`, for commands that run without a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// This node's name.
    pub node: NodeName,
    /// Whether the node's name is the host's, and follows it.
    #[serde(default)]
    pub follows_host: bool,
    /// machine-id of the host that has this name, if it has one.
    #[serde(default)]
    pub machine_id: Option<String>,
    /// This node's labels, for the generated HostEndpoint.
    pub node_labels: std::collections::BTreeMap<String, String>,
    /// The policy directory.
    pub policy_dir: PathBuf,
    /// Generate a HostEndpoint for this node.
    pub auto_host_endpoint: bool,
    /// How packets and flows are treated beyond the policy.
    #[serde(flatten)]
    pub behaviour: Behaviour,
    /// Number of good policies to keep.
    pub keep_generations: usize,
    /// Write confirmed policies also where users other than root can write.
    #[serde(default)]
    pub allow_shared_policy_dir: bool,
}

impl Settings {
    /// The settings of a daemon's options, on the host with this machine-id.
    #[must_use]
    pub fn of(options: &Options, machine_id: Option<String>) -> Self {
        Self {
            node: options.node.clone(),
            follows_host: options.follows_host,
            machine_id,
            node_labels: options.node_labels.clone(),
            policy_dir: options.role.path().to_path_buf(),
            auto_host_endpoint: options.auto_host_endpoint,
            behaviour: options.behaviour,
            keep_generations: options.keep_generations,
            allow_shared_policy_dir: options.role.is_shared(),
        }
    }
}

impl Journal {
    /// Changes the mode; what it does not allow is logged, and changes nothing.
    pub fn change(&mut self, event: Event) {
        match self.mode.clone().after(event) {
            Ok(mode) => self.mode = mode,
            Err(error) => log::error!("mode: {error}"),
        }
    }

    /// The entry of the policy that is in force.
    #[must_use]
    pub fn head(&self) -> Option<&Entry> {
        self.entry(self.in_force?)
    }

    /// The entry of exactly this generation.
    #[must_use]
    pub fn entry(&self, generation: u32) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.generation == generation)
    }

    /// Sets the outcome of an entry.
    pub fn set_outcome(&mut self, generation: u32, outcome: Outcome) {
        let entry = self
            .entries
            .iter_mut()
            .find(|entry| entry.generation == generation);
        if let Some(entry) = entry {
            entry.outcome = outcome;
        }
    }

    /// The entry whose policy was in force at `generation`: changes of interfaces create further
    /// generations of the same policy.
    #[must_use]
    pub fn at(&self, generation: u32) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.generation <= generation)
    }

    /// The target of `hep rollback`: the last good policy before the one in force that differs from
    /// it.
    #[must_use]
    pub fn previous(&self) -> Option<&Entry> {
        let head = self.head()?;
        let from = match head.cause {
            // A second rollback goes further back, not forward again.
            Cause::Rollback { to } => to,
            Cause::Store | Cause::Try | Cause::Resume => head.generation,
        };
        self.entries.iter().rev().find(|entry| {
            entry.generation < from && entry.is_good() && entry.checksum != head.checksum
        })
    }

    /// Entries to continue with after a start, best first: the one in force, then good ones from the
    /// newest.
    pub fn good(&self) -> impl Iterator<Item = &Entry> {
        let head = self.head().filter(|head| head.is_good());
        let others = self
            .entries
            .iter()
            .rev()
            .filter(move |entry| entry.is_good() && Some(entry.generation) != self.in_force);
        head.into_iter().chain(others)
    }

    /// Removes entries beyond the newest `keep` good ones and the newest `keep` others, and returns
    /// them. The entry in force stays, and the one that a trial rolls back to.
    pub(super) fn prune(&mut self, keep: usize) -> Vec<Entry> {
        let needed = [self.in_force, self.mode.trial().map(|trial| trial.back_to)];
        let (mut good, mut others) = (0, 0);
        let (mut kept, mut removed) = (Vec::new(), Vec::new());
        for entry in self.entries.drain(..).rev() {
            let seen = if entry.is_good() {
                &mut good
            } else {
                &mut others
            };
            *seen += 1;
            if *seen <= keep || needed.contains(&Some(entry.generation)) {
                kept.push(entry);
            } else {
                removed.push(entry);
            }
        }
        kept.reverse();
        self.entries = kept;
        removed
    }
}

#[cfg(test)]
mod tests;
