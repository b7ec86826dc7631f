//! The write-ahead log of a load: [`StateDirectory::prepare`] notes the policy right before the flip,
//! [`StateDirectory::commit`] records it right after, and [`StateDirectory::recover`] decides after a death
//! in between.
//!
//! The file `coming` is a snapshot with the number of the generation that the kernel will report. It is
//! not synced: it has a meaning only together with the pins, which a restart of the host removes.

use std::{fs, io};

use super::{
    super::{
        clock::unix_ms,
        mode::{Event, Frozen},
    },
    directory::StateDirectory,
    error::{StateError, fail},
    files::{self, PENDING, ignore_missing, replace},
    journal::{Cause, Entry, Journal, Outcome},
    snapshot::{self, Head},
};
use crate::store::PolicySet;

/// A policy that is about to come into force, with what the journal will record about it.
#[derive(Clone, Debug)]
pub struct PendingPolicy {
    /// The policy.
    pub policy: PolicySet,
    /// Cause of the load.
    pub cause: Cause,
    /// Number of resources that were written.
    pub resources: usize,
    /// The frozen policy that it is; `None`: the store's, or on trial.
    pub frozen: Option<Frozen>,
    /// Unix time of the load, milliseconds.
    pub since_unix_ms: u64,
    /// An earlier generation, and for each file the bytes at its start and end that its snapshot has.
    pub previous: Option<(u32, Vec<Option<[usize; 2]>>)>,
}

impl PendingPolicy {
    /// Describes a policy that comes into force after `head`, before it is validated.
    #[must_use]
    pub fn after(head: Option<&(u32, PolicySet)>, policy: PolicySet, cause: Cause) -> Self {
        let in_common = |previous| snapshot::in_common(&policy, previous);
        Self {
            previous: head.map(|(generation, previous)| (*generation, in_common(previous))),
            policy,
            cause,
            resources: 0,
            frozen: None,
            since_unix_ms: unix_ms(),
        }
    }

    fn head(&self, generation: u32) -> Head {
        let (since, cause) = (self.since_unix_ms, self.cause);
        Head::new(&self.policy, generation, since, cause, self.resources)
    }
}

impl StateDirectory {
    /// Notes the policy that this generation is about to bring into force.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; nothing is noted then.
    pub fn prepare(&self, pending: &PendingPolicy, generation: u32) -> Result<(), StateError> {
        let mut head = pending.head(generation);
        head.frozen.clone_from(&pending.frozen);
        if let Some((previous, kept)) = &pending.previous {
            head.leave_out(*previous, kept);
        }
        let written = replace(&self.directory, PENDING, false, |out| {
            snapshot::write(out, &head, &pending.policy)
        });
        if written.is_err() {
            self.abort();
        }
        written
    }

    /// Removes the note: the policy did not come into force, or is recorded.
    pub fn abort(&self) {
        let path = self.directory.join(PENDING);
        if let Err(error) = ignore_missing(fs::remove_file(&path)) {
            log::error!("{}: {error}", path.display());
        }
    }

    /// Records that the noted policy is in force as this generation: stores its snapshot, adds it to the
    /// journal, and applies `change` to the journal.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; the journal is unchanged then.
    pub fn commit(
        &mut self,
        pending: PendingPolicy,
        generation: u32,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), StateError> {
        let entry = Entry {
            generation,
            since_unix_ms: pending.since_unix_ms,
            cause: pending.cause,
            outcome: match pending.cause {
                Cause::Try => Outcome::Trying,
                Cause::Store | Cause::Rollback { .. } | Cause::Resume => Outcome::Applied,
            },
            resources: pending.resources,
            checksum: pending.policy.checksum(),
            base: pending.policy.base.clone(),
        };
        let head = pending.head(generation);
        self.keep(&pending.policy, &head)?;
        self.update(|journal| {
            journal.commit(entry, pending.frozen);
            change(journal);
        })?;
        self.head = Some((generation, pending.policy));
        self.abort();
        Ok(())
    }

    /// Recovers from the death of a previous daemon: a noted policy is in force, and is recorded, if
    /// `policy` is its generation; else it never was.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] if it is in force and cannot be recorded.
    pub fn recover(&mut self, policy: Option<u32>) -> Result<(), StateError> {
        let path = self.directory.join(PENDING);
        let body = match files::read(&path) {
            Ok(body) => body.into(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.abort();
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fail(&path)(error)),
        };
        let read = snapshot::read(&body, |previous| self.snapshot(previous));
        let Some((head, found)) = read.filter(|(head, _)| Some(head.generation) == policy) else {
            self.abort();
            return Ok(());
        };
        let generation = head.generation;
        if self.journal.entry(generation).is_some() {
            self.abort();
            return Ok(());
        }
        log::info!("generation {generation} came into force while a previous daemon ended");
        let pending = PendingPolicy {
            policy: found,
            cause: head.cause,
            resources: head.resources,
            frozen: head.frozen,
            since_unix_ms: head.since_unix_ms,
            previous: None,
        };
        self.commit(pending, generation, |_| {})
    }
}

impl Journal {
    /// Adds a policy that has come into force, and changes the mode by its cause.
    fn commit(&mut self, entry: Entry, frozen: Option<Frozen>) {
        let generation = entry.generation;
        match (entry.cause, self.in_force) {
            (Cause::Rollback { .. }, Some(previous)) => {
                self.set_outcome(previous, Outcome::RolledBack);
            }
            (Cause::Rollback { .. }, None) | (Cause::Try | Cause::Store | Cause::Resume, _) => {}
        }
        match (entry.cause, frozen) {
            (Cause::Try, _) => {
                // The time of the trial may begin later; not earlier.
                let began = self.mode.trial().map(|trial| trial.began.clone());
                self.change(Event::TrialInForce(generation, began.unwrap_or_default()));
            }
            (Cause::Store | Cause::Resume | Cause::Rollback { .. }, Some(frozen)) => {
                self.change(Event::Freeze(frozen));
            }
            (Cause::Store | Cause::Resume | Cause::Rollback { .. }, None) => {
                self.change(Event::Follow);
            }
        }
        // A journal rebuilt from snapshots may have an entry of this number.
        self.entries.retain(|old| old.generation != generation);
        self.entries.push(entry);
        self.in_force = Some(generation);
    }
}
