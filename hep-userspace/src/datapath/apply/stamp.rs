//! When a generation came into force.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::compile::Description;

/// Number and time of a generation, as its description has them.
pub(crate) struct Stamp {
    generation: u32,
    applied_unix_ms: u64,
    policy: u32,
}

impl Stamp {
    /// Those of a description.
    pub(crate) const fn of(description: &Description) -> Self {
        Self {
            generation: description.generation,
            applied_unix_ms: description.applied_unix_ms,
            policy: description.policy,
        }
    }

    /// The stamp of a generation that comes into force now; a policy without a number gets this one.
    pub(crate) fn next(&self, number: u32) -> Self {
        Self {
            generation: number,
            applied_unix_ms: unix_ms(),
            policy: if self.policy == 0 {
                number
            } else {
                self.policy
            },
        }
    }

    /// Sets them in a description.
    pub(crate) const fn put(&self, description: &mut Description) {
        description.generation = self.generation;
        description.applied_unix_ms = self.applied_unix_ms;
        description.policy = self.policy;
    }
}

fn unix_ms() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
