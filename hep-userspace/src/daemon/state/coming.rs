//! Announces a policy that is about to come into force, so that a process that starts after a death in
//! between can tell what it finds in force.
//!
//! The file `coming` is a snapshot with the number of the generation that the kernel will report. It is
//! not synced: it has a meaning only together with the pins, which a restart of the host removes.

use std::{fs, io};

use super::{
    super::status::unix_ms,
    COMING, Cause, Entry, Held, Journal, Outcome, Policy, StateDirectory, StateError, fail, files,
    ignore_missing, replace,
    snapshot::{self, Head},
};

/// A policy that is about to come into force, with what the journal will record about it.
#[derive(Clone, Debug)]
pub struct Coming {
    /// The policy.
    pub policy: Policy,
    /// Cause of the load.
    pub cause: Cause,
    /// Number of resources that were written.
    pub resources: usize,
    /// The hold that begins with the policy; `None` ends one. A trial leaves the hold as it is.
    pub held: Option<Held>,
    /// Unix time of the load, milliseconds.
    pub since_unix_ms: u64,
    /// An earlier generation, and for each file the bytes at its start and end that its snapshot has.
    pub former: Option<(u32, Vec<Option<[usize; 2]>>)>,
}

impl Coming {
    /// Describes a policy that comes into force after `head`, before it is validated.
    #[must_use]
    pub fn after(head: Option<&(u32, Policy)>, policy: Policy, cause: Cause) -> Self {
        let in_common = |former| snapshot::in_common(&policy, former);
        Self {
            former: head.map(|(generation, former)| (*generation, in_common(former))),
            policy,
            cause,
            resources: 0,
            held: None,
            since_unix_ms: unix_ms(),
        }
    }

    fn head(&self, generation: u32) -> Head {
        let (since, cause) = (self.since_unix_ms, self.cause);
        Head::new(&self.policy, generation, since, cause, self.resources)
    }
}

impl StateDirectory {
    /// Announces the policy that this generation is about to bring into force.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; nothing is announced then.
    pub fn announce(&self, coming: &Coming, generation: u32) -> Result<(), StateError> {
        let mut head = coming.head(generation);
        head.held.clone_from(&coming.held);
        if let Some((former, kept)) = &coming.former {
            head.leave_out(*former, kept);
        }
        let written = replace(&self.directory, COMING, false, |out| {
            snapshot::write(out, &head, &coming.policy)
        });
        if written.is_err() {
            self.revoke();
        }
        written
    }

    /// Removes the announcement: the policy did not come into force, or is recorded.
    pub fn revoke(&self) {
        let path = self.directory.join(COMING);
        if let Err(error) = ignore_missing(fs::remove_file(&path)) {
            log::error!("{}: {error}", path.display());
        }
    }

    /// Records that the announced policy is in force as this generation: stores its snapshot, adds it to the
    /// journal, and applies `change` to the journal.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; the journal is unchanged then.
    pub fn arrive(
        &mut self,
        coming: Coming,
        generation: u32,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), StateError> {
        let entry = Entry {
            generation,
            since_unix_ms: coming.since_unix_ms,
            cause: coming.cause,
            outcome: match coming.cause {
                Cause::Try => Outcome::Trying,
                Cause::Directory | Cause::Rollback { .. } | Cause::Resume => Outcome::Applied,
            },
            resources: coming.resources,
            checksum: coming.policy.checksum(),
            base: coming.policy.base.clone(),
        };
        let head = coming.head(generation);
        self.keep(&coming.policy, &head)?;
        self.update(|journal| {
            journal.arrive(entry, coming.held);
            change(journal);
        })?;
        self.head = Some((generation, coming.policy));
        self.revoke();
        Ok(())
    }

    /// Recovers from the death of a previous daemon: an announced policy is in force, and is recorded, if
    /// `policy` is its generation; else it never was.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] if it is in force and cannot be recorded.
    pub fn settle(&mut self, policy: Option<u32>) -> Result<(), StateError> {
        let path = self.directory.join(COMING);
        let body = match files::read(&path) {
            Ok(body) => body.into(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.revoke();
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fail(&path)(error)),
        };
        let read = snapshot::read(&body, |former| self.snapshot(former));
        let Some((head, found)) = read.filter(|(head, _)| Some(head.generation) == policy) else {
            self.revoke();
            return Ok(());
        };
        let generation = head.generation;
        if self.journal.entry(generation).is_some() {
            self.revoke();
            return Ok(());
        }
        log::info!("generation {generation} came into force while a former daemon ended");
        let coming = Coming {
            policy: found,
            cause: head.cause,
            resources: head.resources,
            held: head.held,
            since_unix_ms: head.since_unix_ms,
            former: None,
        };
        self.arrive(coming, generation, |_| {})
    }
}

impl Journal {
    /// Adds a policy that has come into force.
    fn arrive(&mut self, entry: Entry, held: Option<Held>) {
        let generation = entry.generation;
        match (entry.cause, self.in_force) {
            (Cause::Rollback { .. }, Some(former)) => {
                self.set_outcome(former, Outcome::RolledBack);
            }
            (Cause::Try, _) => {
                if let Some(trial) = &mut self.trial {
                    trial.generation = Some(generation);
                }
            }
            (Cause::Directory | Cause::Resume | Cause::Rollback { .. }, _) => {}
        }
        if entry.cause != Cause::Try {
            self.held = held;
        }
        // A journal rebuilt from snapshots may have an entry of this number.
        self.entries.retain(|old| old.generation != generation);
        self.entries.push(entry);
        self.in_force = Some(generation);
    }
}
