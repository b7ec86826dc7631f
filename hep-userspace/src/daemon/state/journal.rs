//! The journal: what is meant to be in force, and why.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::clock::Moment;
use crate::model::NodeName;

/// Version of the journal's format.
pub(super) const FORMAT: u32 = 1;

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
    /// The policy on trial, if any.
    pub trial: Option<Trial>,
    /// The hold, if on: the policy directory is not followed for now.
    pub held: Option<Held>,
    /// Only failsafes and established flows pass.
    pub panic: Option<Panic>,
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
    /// The policy directory held it.
    Directory,
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
            Self::Directory => "directory change".to_owned(),
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

/// A policy that rolls back unless confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Its generation; `None` while it is being applied.
    pub generation: Option<u32>,
    /// Generation of the policy to roll back to.
    pub back_to: u32,
    /// Beginning of the trial.
    pub began: Moment,
    /// Length of the trial, milliseconds.
    pub timeout_ms: u64,
    /// Checksum of the policy directory when it began.
    pub directory: String,
}

impl Trial {
    /// Time left of the trial at `now`; zero after a restart of the host.
    ///
    /// Only the time since boot counts: setting the time of day neither lengthens nor shortens a trial.
    /// After a restart that clock begins anew, and the time of day may be wrong until the network is up. A
    /// host restarted in the middle of a trial was most likely restarted because nobody could reach it, and
    /// whoever was to confirm has lost the session to confirm from. So the trial is over.
    ///
    #[must_use]
    pub fn left(&self, now: &Moment) -> Duration {
        if self.began.boot_id != now.boot_id {
            return Duration::ZERO;
        }
        let end = self.began.boottime_ms.saturating_add(self.timeout_ms);
        Duration::from_millis(end.saturating_sub(now.boottime_ms))
    }

    /// Unix time of its end by the present time of day, milliseconds.
    #[must_use]
    pub fn ends_unix_ms(&self, now: &Moment) -> u64 {
        let left = u64::try_from(self.left(now).as_millis()).unwrap_or(u64::MAX);
        now.unix_ms.saturating_add(left)
    }
}

/// A hold: the policy directory is not followed until its content changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
    /// Generation of the policy that was brought back.
    pub generation: u32,
    /// Checksum of the directory's content that is not followed; `None` until it is known.
    pub directory: Option<String>,
}

/// Only failsafes and established flows pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panic {
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
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
    /// Judge established flows again when the policy changes.
    pub revalidate: bool,
    /// Accept neighbour discovery before policy.
    pub nd_exempt: bool,
    /// Accept router advertisements among these.
    #[serde(default = "usual")]
    pub ra_exempt: bool,
    /// The skb mark bit of forwarded packets that an untracked policy accepted.
    pub bypass_mark: u32,
    /// Number of good policies to keep.
    pub keep_generations: usize,
    /// Write confirmed policies also where users other than root can write.
    #[serde(default)]
    pub allow_shared_policy_dir: bool,
}

/// The default of `ra_exempt`.
const fn usual() -> bool {
    true
}

impl Journal {
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
            Cause::Directory | Cause::Try | Cause::Resume => head.generation,
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
        let needed = [
            self.in_force,
            self.trial.as_ref().map(|trial| trial.back_to),
        ];
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
mod tests {
    use super::*;

    fn entry(generation: u32, cause: Cause, outcome: Outcome, checksum: &str) -> Entry {
        Entry {
            generation,
            since_unix_ms: 0,
            cause,
            outcome,
            resources: 1,
            checksum: checksum.to_owned(),
            base: PathBuf::from("/p"),
        }
    }

    fn applied(generation: u32, checksum: &str) -> Entry {
        entry(generation, Cause::Directory, Outcome::Applied, checksum)
    }

    fn journal(entries: Vec<Entry>) -> Journal {
        Journal {
            in_force: entries.last().map(|entry| entry.generation),
            entries,
            ..Journal::default()
        }
    }

    fn previous(journal: &Journal) -> Option<u32> {
        journal.previous().map(|entry| entry.generation)
    }

    #[test]
    fn going_back_skips_what_was_rolled_back_and_what_is_the_same() {
        let tried = entry(4, Cause::Try, Outcome::RolledBack, "d");
        let mut journal = journal(vec![
            applied(1, "a"),
            applied(2, "b"),
            tried,
            applied(6, "b"),
            applied(7, "c"),
        ]);
        assert_eq!(previous(&journal), Some(6));
        journal.in_force = Some(6);
        assert_eq!(previous(&journal), Some(1));
        journal.in_force = Some(1);
        assert_eq!(previous(&journal), None);
    }

    #[test]
    fn going_back_twice_goes_further_back() {
        let mut journal = journal(vec![applied(1, "a"), applied(2, "b"), applied(3, "c")]);
        journal.set_outcome(3, Outcome::RolledBack);
        let back = Cause::Rollback { to: 2 };
        journal.entries.push(entry(4, back, Outcome::Applied, "b"));
        journal.in_force = Some(4);
        assert_eq!(previous(&journal), Some(1));
    }

    #[test]
    fn a_generation_between_two_entries_belongs_to_the_earlier() {
        let journal = journal(vec![applied(2, "a"), applied(5, "b")]);
        let at = |generation| journal.at(generation).map(|entry| entry.generation);
        assert_eq!(
            [at(1), at(2), at(4), at(9)],
            [None, Some(2), Some(2), Some(5)]
        );
    }

    #[test]
    fn the_newest_good_ones_and_the_one_in_force_are_kept() {
        let mut entries: Vec<Entry> = (1..=5).map(|number| applied(number, "x")).collect();
        entries.extend((6..=9).map(|number| entry(number, Cause::Try, Outcome::RolledBack, "y")));
        let mut journal = journal(entries);
        journal.in_force = Some(1);
        let removed: Vec<u32> = journal.prune(2).iter().map(|e| e.generation).collect();
        let kept: Vec<u32> = journal.entries.iter().map(|e| e.generation).collect();
        assert_eq!(kept, [1, 4, 5, 8, 9]);
        assert_eq!(removed, [7, 6, 3, 2]);
    }

    fn trial() -> Trial {
        Trial {
            generation: Some(1),
            back_to: 0,
            began: Moment {
                boot_id: "a".to_owned(),
                boottime_ms: 1000,
                unix_ms: 1_000_000,
            },
            timeout_ms: 60_000,
            directory: String::new(),
        }
    }

    #[test]
    fn a_trial_counts_by_the_clock_since_the_hosts_start_alone() {
        let at = |boot_id: &str, boottime_ms, unix_ms| {
            let boot_id = boot_id.to_owned();
            trial().left(&Moment {
                boot_id,
                boottime_ms,
                unix_ms,
            })
        };
        assert_eq!(at("a", 1000, 1_000_000), Duration::from_secs(60));
        assert_eq!(at("a", 31_000, 0), Duration::from_secs(30));
        assert_eq!(at("a", 31_000, u64::MAX), Duration::from_secs(30));
        assert_eq!(at("a", 61_000, 1_000_000), Duration::ZERO);
        assert_eq!(at("a", 90_000, 1_000_000), Duration::ZERO);
    }

    #[test]
    fn a_trial_is_over_after_a_restart_of_the_host() {
        let now = Moment {
            boot_id: "b".to_owned(),
            boottime_ms: 10,
            unix_ms: 1_000_001,
        };
        assert_eq!(trial().left(&now), Duration::ZERO);
    }
}
