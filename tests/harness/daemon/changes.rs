//! Changes of policy, and waiting until they are in force.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{ALL, Daemon, LOAD_LIMIT, shorten};
use crate::{eventually, policy::Directory};

impl Daemon {
    /// Waits until a generation of at least this number is in force and interfaces are attached.
    ///
    /// # Panics
    ///
    /// If that does not happen in time.
    #[track_caller]
    pub fn wait_for(&mut self, generation: u64) {
        let mut ended = None;
        let reached = eventually(LOAD_LIMIT, || {
            ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().expect("ask for the daemon's status"));
            let status = self.status_if_any();
            let number = status["generation"].as_u64().unwrap_or(0);
            let is_in_force = number >= generation && status["ready"] == Value::Bool(true);
            ended.is_some() || is_in_force
        });
        assert!(
            reached && ended.is_none(),
            "no generation {generation}, daemon {ended:?}; it printed:\n{}",
            shorten(&self.log())
        );
    }

    /// Writes a policy file and waits until it is in force; how long that took.
    ///
    /// # Panics
    ///
    /// If it does not come into force in time.
    #[track_caller]
    pub fn apply(&mut self, name: &str, text: &str) -> Duration {
        self.change(|directory| {
            directory.write(name, text);
        })
    }

    /// Changes the policy directory and waits until the change is in force; how long that took.
    ///
    /// # Panics
    ///
    /// If it does not come into force in time.
    #[track_caller]
    pub fn change(&mut self, work: impl FnOnce(&Directory)) -> Duration {
        let before = self.generation();
        let start = Instant::now();
        work(&self.directory);
        self.wait_for(before + 1);
        start.elapsed()
    }

    /// Replaces all that is configured by these resources, and waits until they are in force.
    ///
    /// # Panics
    ///
    /// If they do not come into force in time.
    #[track_caller]
    pub fn replace(&mut self, resources: &[String]) {
        let text = crate::policy::documents(resources);
        let current = std::fs::read_to_string(self.directory.path().join(ALL));
        // What is in force already makes no new generation to wait for.
        if !current.is_ok_and(|current| current == text) {
            self.apply(ALL, &text);
        }
    }

    /// Writes the whole configuration; a running daemon picks it up.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write_all(&self, resources: &[String]) {
        self.directory
            .write(ALL, &crate::policy::documents(resources));
    }
}
