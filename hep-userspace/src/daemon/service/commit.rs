//! Brings validated policies into force, and records that.
//!
//! A policy is noted in the state directory right before the flip, and recorded in the journal right after
//! it: whenever the daemon dies, the next one can tell what it finds in force.

use std::{io, path::Path, sync::Arc};

use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    super::{
        DaemonError, StateError, logging,
        mode::Event,
        purpose::Purpose,
        reconcile::Enforced,
        state::{Cause, Entry, Journal, PendingPolicy, StateDirectory},
        summary::chain,
    },
    daemon::Daemon,
    follower::Judged,
    wakeups::ticks,
};
use crate::store::PolicySet;

/// How the journal records the policy being applied.
pub(super) enum CommitTarget {
    /// As the existing entry of this generation.
    Known(u32),
    /// As a new entry.
    New(PendingPolicy),
}

impl CommitTarget {
    /// Records that the policy is in force as this generation, and applies `change` to the journal.
    pub(super) fn commit(
        self,
        state: &mut StateDirectory,
        generation: u32,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), StateError> {
        match self {
            Self::Known(_) => state.update(change),
            Self::New(pending) => state.commit(pending, generation, change),
        }
    }
}

impl Daemon {
    /// Compares a policy with that of the journal's head in a thread of its own: for long texts, that takes
    /// as long as validating them.
    pub(super) fn compare(&mut self, policy: PolicySet, cause: Cause) -> JoinHandle<CommitTarget> {
        let is_good = self.state.journal().head().is_some_and(Entry::is_good);
        let head = self.state.head();
        spawn_blocking(move || match &head {
            Some((generation, previous)) if is_good && previous.is_same(&policy) => {
                CommitTarget::Known(*generation)
            }
            head => CommitTarget::New(PendingPolicy::after(head.as_ref(), policy, cause)),
        })
    }

    /// Brings a validated policy into force as a whole or not at all.
    pub(super) async fn enforce(
        &mut self,
        judged: Judged,
        target: &mut CommitTarget,
    ) -> Result<(), DaemonError> {
        let Judged {
            loaded,
            name,
            recorded: _,
            phases,
        } = judged;
        let Some(snapshot) = loaded.snapshot.map(Arc::new) else {
            return Err(DaemonError::Invalid(loaded.problems));
        };
        if let Some(name) = &name {
            self.enforcer.reconciler.set_node(name.clone());
        }
        let state = &self.state;
        let mut prepare;
        let purpose = match target {
            CommitTarget::Known(generation) => Purpose::Known(*generation),
            CommitTarget::New(pending) => {
                pending.resources = snapshot.written();
                prepare = |generation| prepare_load(state, pending, generation);
                Purpose::Policy(&mut prepare)
            }
        };
        match self.enforcer.enforce(&snapshot, purpose, phases).await {
            Ok(enforced) => self.loaded(&enforced),
            Err(error) if error.is_in_force() => {}
            Err(error) => {
                self.state.abort();
                let name = self.follower.node.name.clone();
                self.enforcer.reconciler.set_node(name);
                return Err(error.into());
            }
        }
        if let Some(name) = name {
            self.rename(name);
        }
        logging::set_severity(&snapshot.felix.log_severity);
        self.follower.refused = None;
        self.wakeups.refresh = snapshot.felix.interface_refresh.map(ticks);
        self.enforcer.problems = loaded.problems;
        self.enforcer.snapshot = Some(snapshot);
        self.report_problems();
        self.serve_metrics().await;
        Ok(())
    }

    /// Reports a load, and begins to read the programs' events.
    pub(super) fn loaded(&mut self, enforced: &Enforced) {
        self.reporter.loaded(enforced);
        self.reporter
            .listen_to_kernel(&mut self.enforcer.reconciler);
    }

    /// Records the policy that has just come into force, and that the store is followed.
    pub(super) fn keep(&mut self, target: CommitTarget, base: &Path) {
        let generation = self.enforcer.generation();
        let kept = target.commit(&mut self.state, generation, |journal| {
            journal.change(Event::Follow);
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

/// Notes the policy that is about to come into force. If that cannot be written, the store's policy is
/// applied all the same; a trial is not.
fn prepare_load(
    state: &StateDirectory,
    pending: &PendingPolicy,
    generation: u32,
) -> io::Result<()> {
    match state.prepare(pending, generation) {
        Err(error) if pending.cause == Cause::Try => Err(io::Error::other(error)),
        Err(error) => {
            log::error!("note what comes into force: {}", chain(&error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
