//! Validates a policy's files, brings them into force, and records that.
//!
//! A policy is announced in the state directory right before the flip, and recorded in the
//! journal right after it: whenever the daemon dies, the next one can tell what it finds in force.

use std::{io, path::Path, time::Duration};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};

use super::{
    super::{
        DaemonError, StateError, logging,
        purpose::Purpose,
        state::{Cause, Coming, Entry, Journal, Policy, StateDirectory},
        status,
        summary::{chain, refusal},
    },
    Daemon,
    wake::ticks,
};
use crate::{
    model::NodeName,
    validate::{Loaded, Node, Scope},
};

/// A validated policy, with the durations of reading and validating it.
pub(super) struct Judged {
    pub(super) loaded: Loaded,
    /// The node name that it was validated for, if that is not the node's yet.
    pub(super) name: Option<NodeName>,
    pub(super) phases: Vec<(&'static str, Duration)>,
}

/// How the journal records the policy being applied.
pub(super) enum Aim {
    /// As the existing entry of this generation.
    Known(u32),
    /// As a new entry.
    New(Coming),
}

impl Aim {
    /// Records that the policy is in force as this generation, and applies `change` to the journal.
    pub(super) fn arrive(
        self,
        state: &mut StateDirectory,
        generation: u32,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), StateError> {
        match self {
            Self::Known(_) => state.update(change),
            Self::New(coming) => state.arrive(coming, generation, change),
        }
    }
}

impl From<Loaded> for Judged {
    fn from(loaded: Loaded) -> Self {
        Self {
            loaded,
            name: None,
            phases: Vec::new(),
        }
    }
}

impl Daemon {
    /// Compares a policy with that of the journal's head in a thread of its own: for long texts, that takes
    /// as long as validating them.
    pub(super) fn compare(&mut self, policy: Policy, cause: Cause) -> JoinHandle<Aim> {
        let is_good = self.state.journal().head().is_some_and(Entry::is_good);
        let head = self.state.head();
        spawn_blocking(move || match &head {
            Some((generation, former)) if is_good && former.is_same(&policy) => {
                Aim::Known(*generation)
            }
            head => Aim::New(Coming::after(head.as_ref(), policy, cause)),
        })
    }

    /// Validates a policy.
    pub(super) fn judge(&mut self, policy: &Policy, started: Instant) -> Judged {
        let read = started.elapsed();
        let begin = Instant::now();
        let mut loaded = self
            .loader
            .load(&policy.files, &self.node, Scope::Directory);
        let snapshot = loaded.snapshot.as_ref();
        let name = snapshot.and_then(|snapshot| self.new_name(snapshot));
        if let Some(name) = &name {
            let node = Node {
                name: name.clone(),
                ..self.node.clone()
            };
            loaded = self.loader.load(&policy.files, &node, Scope::Directory);
        }
        self.report.lock().last_load_unix_ms = status::unix_ms();
        if loaded.snapshot.is_none() {
            self.tell_problems(&loaded.problems);
        }
        Judged {
            loaded,
            name,
            phases: vec![("read", read), ("validate", begin.elapsed())],
        }
    }

    /// Brings a validated policy into force as a whole or not at all, and records the reason if not.
    pub(super) async fn enforce(
        &mut self,
        judged: Judged,
        aim: &mut Aim,
    ) -> Result<(), DaemonError> {
        let outcome = self.enforce_judged(judged, aim).await;
        match &outcome {
            Ok(()) => {}
            Err(DaemonError::Invalid(problems)) => self.refused = Some(refusal(problems)),
            Err(error) => self.refused = Some(chain(error)),
        }
        outcome
    }

    /// Brings a validated policy into force as a whole or not at all.
    pub(super) async fn enforce_judged(
        &mut self,
        judged: Judged,
        aim: &mut Aim,
    ) -> Result<(), DaemonError> {
        let Judged {
            loaded,
            name,
            phases,
        } = judged;
        let Loaded { snapshot, problems } = loaded;
        let Some(snapshot) = snapshot else {
            return Err(DaemonError::Invalid(problems));
        };
        if let Some(name) = &name {
            self.reconciler.set_node(name.clone());
        }
        let outcome = match aim {
            Aim::Known(generation) => {
                let purpose = Purpose::Known(*generation);
                self.reconciler.enforce(&snapshot, purpose).await
            }
            Aim::New(coming) => {
                coming.resources = snapshot.written();
                let mut announce = |generation| announce(&self.state, coming, generation);
                let purpose = Purpose::Policy(&mut announce);
                self.reconciler.enforce(&snapshot, purpose).await
            }
        };
        match outcome {
            Ok(mut enforced) => {
                enforced.phases.splice(..0, phases);
                self.succeeded(&enforced);
            }
            Err(error) if error.is_in_force() => self.fail(&error),
            Err(error) => {
                self.state.revoke();
                self.reconciler.set_node(self.node.name.clone());
                return Err(error.into());
            }
        }
        if let Some(name) = name {
            self.rename(name);
        }
        logging::set_severity(&snapshot.felix.log_severity);
        self.problems = problems;
        self.refused = None;
        self.tell_warnings(&snapshot);
        self.refresh = snapshot.felix.interface_refresh.map(ticks);
        self.snapshot = Some(snapshot);
        self.serve_figures().await;
        Ok(())
    }

    /// Records the policy that has just come into force, and that the directory is followed.
    pub(super) fn keep(&mut self, aim: Aim, base: &Path) {
        let generation = self.generation();
        let kept = aim.arrive(&mut self.state, generation, |journal| {
            journal.held = None;
            let head = journal.in_force;
            for entry in &mut journal.entries {
                if Some(entry.generation) == head {
                    base.clone_into(&mut entry.base);
                }
            }
        });
        if let Err(error) = kept {
            log::error!("keep the last good policy: {}", chain(&error));
        }
    }
}

/// Announces the policy that is about to come into force. If that cannot be written, a policy of the
/// directory is applied all the same; a trial is not.
fn announce(state: &StateDirectory, coming: &Coming, generation: u32) -> io::Result<()> {
    match state.announce(coming, generation) {
        Err(error) if coming.cause == Cause::Try => Err(io::Error::other(error)),
        Err(error) => {
            log::error!("note what comes into force: {}", chain(&error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
