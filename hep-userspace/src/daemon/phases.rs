//! How long the phases of a load take.

use std::time::{Duration, Instant};

/// Measures one phase after another.
pub(super) struct Phases {
    start: Instant,
    /// What they are called, and how long they took.
    pub(super) found: Vec<(&'static str, Duration)>,
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            found: Vec::new(),
        }
    }
}

impl Phases {
    /// A phase is over; another begins.
    pub(super) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.found.push((name, now.duration_since(self.start)));
        self.start = now;
    }
}
