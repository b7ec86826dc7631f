//! From a policy's files to what is in force, and to what is written down about it.
//!
//! What comes into force is announced in the state directory right before the kernel's side makes it
//! so, and on record right after: whenever the daemon dies, the next one knows what it finds.

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

/// A policy as it was read, and how long that took.
pub(super) struct Judged {
    pub(super) loaded: Loaded,
    /// The name that it was judged for, if that is not the node's yet.
    pub(super) name: Option<NodeName>,
    pub(super) phases: Vec<(&'static str, Duration)>,
}

/// What a policy that is to come into force is to the journal.
pub(super) enum Aim {
    /// That of the entry of this generation.
    Known(u32),
    /// Another one, of which this is to be said.
    New(Coming),
}

impl Aim {
    /// It is in force with this number: has the journal say so, and `change` it.
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
    /// Finds out whether a policy is that of the journal's head, and else how they differ, in a thread
    /// of its own: of long texts, that takes as long as judging them.
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

    /// Reads what a policy says.
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

    /// Brings a judged policy into force as a whole, or not at all, and remembers why not.
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

    /// Brings a judged policy into force as a whole, or not at all.
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

    /// Keeps the policy that has just come into force, and notes that the directory is followed.
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

/// Writes down what is about to come into force. A directory is followed also where nothing can be
/// written down; a trial is not.
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
