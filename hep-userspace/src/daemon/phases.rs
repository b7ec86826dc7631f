//! Durations of the phases of a load.

use std::time::{Duration, Instant};

/// Measures one phase after another.
pub(super) struct Phases {
    start: Instant,
    /// Name and duration of each finished phase.
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
    /// Ends the current phase and begins the next.
    pub(super) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.found.push((name, now.duration_since(self.start)));
        self.start = now;
    }
}
