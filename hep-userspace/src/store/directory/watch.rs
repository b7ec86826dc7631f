//! Watches the policy directory, and reads complete states of it.
//!
//! A policy cut off after `- action: Allow` is valid YAML that allows everything, so a file counts only
//! after its writer has closed or renamed it: while it is being written, its earlier text is used. A
//! directory that vanishes, or turns empty at once, is a mistake far more often than intended, so it
//! is not followed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::{
    read::{DirectoryReader, ReadError},
    tracker::{RESCAN, Tracker},
    trusted::Trust,
    write,
};
use crate::{
    source::Unit,
    store::{Distrust, Found, Later, PolicySet, Source, WriteError},
};

/// Shortest duration of a read, so that files that are replaced one after another are read together.
const LOOK: Duration = Duration::from_millis(9);
/// After this long with files appearing and vanishing the directory is read as it is.
const UNREST_LIMIT: Duration = Duration::from_secs(2);
/// Longest delay of the kernel's notifications.
const NOTIFICATION_DELAY: Duration = Duration::from_millis(5);
/// Interval of checks for the directory itself: it may vanish, or be replaced as a whole.
const PRESENCE: Duration = Duration::from_secs(1);

/// A directory of policy files, watched recursively.
pub struct Watch {
    directory: PathBuf,
    trust: Trust,
    tracker: Tracker,
    presence: Interval,
    rescan: Interval,
    reader: DirectoryReader,
    accepted: PolicySet,
    was_read: bool,
}

impl Watch {
    /// Starts to watch; needs a tokio runtime. The directory need not exist yet.
    #[must_use]
    pub fn new(directory: &Path, trust: Trust) -> Self {
        Self {
            directory: directory.to_path_buf(),
            trust,
            tracker: Tracker::new(directory),
            presence: timer(PRESENCE),
            rescan: timer(RESCAN),
            reader: DirectoryReader::default(),
            accepted: PolicySet {
                base: directory.to_path_buf(),
                files: Vec::new(),
                resume: None,
            },
            was_read: false,
        }
    }

    async fn wait(&mut self) {
        loop {
            let due = self.tracker.is_due_at();
            tokio::select! {
                () = self.tracker.next() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.tracker.begin();
                    return;
                }
                _ = self.presence.tick() => self.tracker.check_directory(),
                _ = self.rescan.tick() => {
                    self.reader.forget_all();
                    return;
                }
            }
        }
    }

    /// Reads the directory once no entry appears or vanishes: an editor moves a file away for a moment, and
    /// a mounted ConfigMap may be exchanged between two files.
    async fn read_settled(&mut self) -> Result<Vec<Unit>, ReadError> {
        let deadline = Instant::now() + UNREST_LIMIT;
        loop {
            self.tracker.note_all();
            let rested = self.tracker.rested().min(deadline);
            if Instant::now() < rested {
                sleep_until(rested).await;
                continue;
            }
            let touched = self.tracker.take_touched();
            match &touched {
                Some(touched) => touched.iter().for_each(|path| self.reader.forget(path)),
                None => self.reader.forget_all(),
            }
            let start = Instant::now();
            let some = touched.and_then(|touched| self.reader.read_touched(&touched));
            let found = some.map_or_else(|| self.reader.read(&self.directory), Ok);
            sleep_until((start + LOOK).max(Instant::now() + NOTIFICATION_DELAY)).await;
            self.tracker.note_all();
            if !self.tracker.has_moved_since(start) || Instant::now() >= deadline {
                return found;
            }
        }
    }

    async fn read_complete(&mut self) -> Found {
        let files = match self.read_settled().await {
            Ok(files) => self.with_stand_ins(files),
            Err(_) if !self.directory.exists() => return Found::Untrusted(Distrust::Gone),
            // It changed while it was read; the next read is already due.
            Err(_) if self.tracker.has_changed() => return Found::Unchanged,
            Err(error) => return Found::Unreadable(error.into()),
        };
        if files.is_empty() && !self.accepted.files.is_empty() {
            return Found::Untrusted(Distrust::Empty);
        }
        if self.was_read && files == self.accepted.files {
            return Found::Unchanged;
        }
        self.accept(files);
        Found::Changed(self.accepted.clone())
    }

    fn accept(&mut self, files: Vec<Unit>) {
        self.was_read = true;
        let paths = files.iter().filter_map(Unit::path).map(Arc::from);
        self.tracker.accept(paths);
        self.accepted.files = files;
    }

    /// Replaces files that are being written, or changed during the read, by their last complete text; a
    /// file without one is left out.
    fn with_stand_ins(&mut self, files: Vec<Unit>) -> Vec<Unit> {
        if !self.tracker.has_incomplete() {
            return files;
        }
        files
            .into_iter()
            .filter_map(|file| {
                if file
                    .path()
                    .is_none_or(|path| self.tracker.is_complete(path))
                {
                    return Some(file);
                }
                let mut earlier = self.accepted.files.iter();
                earlier
                    .find(|earlier| earlier.origin == file.origin)
                    .cloned()
            })
            .collect()
    }
}

impl Source for Watch {
    fn changed(&mut self) -> Later<'_, ()> {
        Box::pin(self.wait())
    }

    fn read(&mut self) -> Later<'_, Found> {
        Box::pin(self.read_complete())
    }

    fn content(&self) -> &PolicySet {
        &self.accepted
    }

    fn assume(&mut self, content: PolicySet) {
        self.accept(content.rebased(&self.directory).files);
    }

    fn forget(&mut self) {
        self.reader.forget_all();
    }

    fn adopt(&self, policy: &PolicySet) -> PolicySet {
        policy.rebased(&self.directory)
    }

    fn may_write(&self, policy: &PolicySet) -> Result<(), WriteError> {
        // What is there may be removed, and what is not may be put there.
        let wanted = self.adopt(policy).files;
        let present = self.accepted.files.iter().cloned();
        let files: Vec<Unit> = present.chain(wanted).collect();
        Ok(write::check(&self.directory, &files, self.trust)?)
    }

    fn write(&mut self, policy: &PolicySet) -> Result<(), WriteError> {
        let present = super::read(&self.directory);
        let present = present.unwrap_or_else(|_| self.accepted.files.clone());
        Ok(write::install(
            policy,
            &self.directory,
            &present,
            self.trust,
        )?)
    }
}

/// Creates a timer whose first tick is one period away.
fn timer(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

#[cfg(test)]
mod tests;
