//! A policy that is about to come into force: written down right before, so that whoever starts after
//! a death in between knows what it finds in force.
//!
//! The file `coming` is a snapshot with the number of the generation that the kernel is to know. It is
//! not synced: it means something only beside what is pinned, which a restart of the host takes away.

use std::{fs, io};

use super::{
    super::status::unix_ms,
    COMING, Cause, Entry, Held, Journal, Outcome, Policy, StateDirectory, StateError, fail, files,
    ignore_missing, replace,
    snapshot::{self, Head},
};

/// What the journal is to say of a policy once it is in force.
#[derive(Clone, Debug)]
pub struct Coming {
    /// The policy.
    pub policy: Policy,
    /// Why it comes into force.
    pub cause: Cause,
    /// Number of resources that were written.
    pub resources: usize,
    /// The policy directory is not followed from then on. A trial leaves that as it is.
    pub held: Option<Held>,
    /// Unix time of the load, milliseconds.
    pub since_unix_ms: u64,
    /// What of each file the snapshot of this generation has.
    pub former: Option<(u32, Vec<Option<[usize; 2]>>)>,
}

impl Coming {
    /// What is said of a policy that comes into force after `head`, as far as it is known before it is
    /// judged.
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
    /// Writes down what the generation of this number is about to bring into force.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; nothing is written down then.
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

    /// What was announced did not come into force, or is on record.
    pub fn revoke(&self) {
        let path = self.directory.join(COMING);
        if let Err(error) = ignore_missing(fs::remove_file(&path)) {
            log::error!("{}: {error}", path.display());
        }
    }

    /// What was announced is in force with this number: keeps it, and has the journal say so, with
    /// `change` what else there is to say.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; the journal is as it was then.
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

    /// Finishes what a daemon began that ended meanwhile: what it announced is in force if `policy` is
    /// its number, else it never was.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] if it is in force and cannot be kept.
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
    /// Takes note of a policy that has come into force.
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
        // A lost journal may have left a snapshot of this number.
        self.entries.retain(|old| old.generation != generation);
        self.entries.push(entry);
        self.in_force = Some(generation);
    }
}
