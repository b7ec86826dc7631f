//! The state directory, locked, and the files of its policies.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{
    error::{StateError, fail},
    files::{self, JOURNAL, LOCK, PENDING, SNAPSHOTS, ignore_missing, replace, snapshot_path},
    journal::{Entry, FORMAT, Journal},
    journal_file::{self, read_journal, rebuilt},
    snapshot::{self, Head},
};
use crate::store::{PolicySet, directory::check_trusted};

/// The state directory, locked.
#[derive(Debug)]
pub struct StateDirectory {
    pub(super) directory: PathBuf,
    /// Number of good policies to keep.
    keep: usize,
    pub(super) journal: Journal,
    /// Cached policy of the journal's head, with its generation.
    pub(super) head: Option<(u32, PolicySet)>,
    _lock: File,
}

impl StateDirectory {
    /// Creates the directory if it is missing, locks it until the value is dropped, and reads the journal; a
    /// damaged journal is rebuilt from the snapshots.
    ///
    /// # Errors
    ///
    /// [`StateError::Busy`] if another daemon uses it, [`StateError::Io`] if it cannot be used.
    pub fn open(directory: &Path, keep: usize) -> Result<Self, StateError> {
        let lock = lock(directory)?;
        let journal = match read_journal(directory) {
            Ok(journal) => journal,
            Err(StateError::Damaged(path)) => {
                log::error!(
                    "{} is damaged and is made anew from the snapshots: what was decided about a \
                     trial, a rollback or a panic is not known any more",
                    path.display()
                );
                files::set_aside(&path).map_err(fail(&path))?;
                rebuilt(directory)?
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            directory: directory.to_path_buf(),
            keep,
            journal,
            head: None,
            _lock: lock,
        })
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Changes the journal, on disk first.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; nothing has changed then.
    pub fn update(&mut self, change: impl FnOnce(&mut Journal)) -> Result<(), StateError> {
        let mut journal = self.journal.clone();
        change(&mut journal);
        let removed = journal.prune(self.keep);
        if journal == self.journal {
            return Ok(());
        }
        journal.format = FORMAT;
        journal_file::write(&self.directory, &journal)?;
        self.journal = journal;
        for entry in removed {
            let path = snapshot_path(&self.directory, entry.generation);
            if let Err(error) = fs::remove_file(&path) {
                log::debug!("{}: {error}", path.display());
            }
        }
        Ok(())
    }

    /// Writes the snapshot of a generation's policy.
    pub(super) fn keep(&self, policy: &PolicySet, head: &Head) -> Result<(), StateError> {
        let directory = self.directory.join(SNAPSHOTS);
        make_directory(&directory)?;
        replace(&directory, &head.generation.to_string(), true, |out| {
            snapshot::write(out, head, policy)
        })
    }

    /// Generation and policy of the journal's head, if there is one and its snapshot is intact.
    pub fn head(&mut self) -> Option<(u32, PolicySet)> {
        let entry = self.journal.head()?;
        let generation = entry.generation;
        if self
            .head
            .as_ref()
            .is_none_or(|(known, _)| *known != generation)
        {
            self.head = self.policy(entry).ok().map(|policy| (generation, policy));
        }
        self.head.clone()
    }

    /// The policy in the snapshot of a generation, if that is intact.
    pub(super) fn snapshot(&self, generation: u32) -> Option<PolicySet> {
        read_snapshot(&self.directory, generation).ok()
    }

    /// The policy of an entry.
    ///
    /// # Errors
    ///
    /// [`StateError::Damaged`] or [`StateError::Io`] if its snapshot cannot be used.
    pub fn policy(&self, entry: &Entry) -> Result<PolicySet, StateError> {
        policy(&self.directory, entry)
    }
}

/// Reads the policy of an entry of a state directory's journal.
///
/// # Errors
///
/// [`StateError::Damaged`] if its checksum is wrong, [`StateError::Io`] if it cannot be read.
pub fn policy(directory: &Path, entry: &Entry) -> Result<PolicySet, StateError> {
    let policy = read_snapshot(directory, entry.generation)?;
    // Once confirmed, files that were on trial are in the policy directory.
    Ok(if policy.base == entry.base {
        policy
    } else {
        policy.rebased(&entry.base)
    })
}

fn read_snapshot(directory: &Path, generation: u32) -> Result<PolicySet, StateError> {
    let path = snapshot_path(directory, generation);
    let body = files::read(&path).map_err(fail(&path))?.into();
    let (_, policy) = snapshot::read(&body, |_| None).ok_or(StateError::Damaged(path))?;
    Ok(policy)
}

/// Removes a daemon's files from its state directory, and the directory if it is empty then.
///
/// # Errors
///
/// [`StateError::Busy`] if a daemon runs, [`StateError::Io`] if something cannot be removed.
pub fn remove(directory: &Path) -> Result<(), StateError> {
    if !directory.exists() {
        return Ok(());
    }
    let _lock = lock(directory)?;
    let snapshots = directory.join(SNAPSHOTS);
    ignore_missing(fs::remove_dir_all(&snapshots)).map_err(fail(&snapshots))?;
    for name in [JOURNAL, "journal.new", PENDING, "coming.new", LOCK] {
        let path = directory.join(name);
        ignore_missing(fs::remove_file(&path)).map_err(fail(&path))?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(fail(directory)(error))
        }
        _ => Ok(()),
    }
}

fn make_directory(path: &Path) -> Result<(), StateError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(fail(path))
}

/// Restricts the directory to root, and refuses one that other users could replace: its content is
/// brought into force.
fn tighten(directory: &Path) -> Result<(), StateError> {
    let opened = File::open(directory).map_err(fail(directory))?;
    let metadata = opened.metadata().map_err(fail(directory))?;
    if metadata.mode() & 0o022 != 0 && metadata.uid() == rustix::process::geteuid().as_raw() {
        log::warn!(
            "{} could be written to by others than root (mode {:o}); now it cannot",
            directory.display(),
            metadata.mode() & 0o7777
        );
        let only = fs::Permissions::from_mode(metadata.mode() & 0o7755);
        opened.set_permissions(only).map_err(fail(directory))?;
    }
    check_trusted(directory).map_err(StateError::Shared)
}

fn lock(directory: &Path) -> Result<File, StateError> {
    make_directory(directory)?;
    tighten(directory)?;
    let path = directory.join(LOCK);
    let lock = files::open_lock(&path).map_err(fail(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Busy(directory.to_path_buf())),
        Err(error) => Err(fail(&path)(error.into())),
    }
}
