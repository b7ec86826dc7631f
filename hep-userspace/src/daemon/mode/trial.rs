//! Trials: a policy that rolls back unless it is confirmed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{super::clock::Moment, frozen::Frozen};

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
    /// Checksum of the store's content when it began.
    #[serde(alias = "directory")]
    pub store: String,
    /// The frozen policy that it rolls back to, if that is one.
    #[serde(default)]
    pub frozen: Option<Frozen>,
}

impl Trial {
    /// The trial, over a frozen policy or over the store.
    #[must_use]
    pub fn over(self, frozen: Option<Frozen>) -> Self {
        Self { frozen, ..self }
    }

    /// The trial once its policy is in force.
    pub(super) fn in_force(self, generation: u32, began: Moment) -> Self {
        Self {
            generation: Some(generation),
            began,
            ..self
        }
    }

    /// Time left of the trial at `now`; zero after a restart of the host.
    ///
    /// Only the time since boot counts: setting the time of day neither lengthens nor shortens a trial.
    /// After a restart that clock begins anew, and the time of day may be wrong until the network is up. A
    /// host restarted in the middle of a trial was most likely restarted because nobody could reach it, and
    /// whoever was to confirm has lost the session to confirm from. So the trial is over.
    #[must_use]
    pub fn left(&self, now: &Moment) -> Duration {
        if self.began.boot_id != now.boot_id {
            return Duration::ZERO;
        }
        let end = self.began.boottime_ms.saturating_add(self.timeout_ms);
        Duration::from_millis(end.saturating_sub(now.boottime_ms))
    }

    /// Whether its time is over at `now`.
    #[must_use]
    pub fn is_over(&self, now: &Moment) -> bool {
        self.left(now).is_zero()
    }

    /// Unix time of its end by the present time of day, milliseconds.
    #[must_use]
    pub fn ends_unix_ms(&self, now: &Moment) -> u64 {
        let left = u64::try_from(self.left(now).as_millis()).unwrap_or(u64::MAX);
        now.unix_ms.saturating_add(left)
    }
}
