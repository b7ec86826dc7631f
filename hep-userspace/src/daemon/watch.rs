//! Watches the policy directory, and reads complete states of it.
//!
//! A policy cut off after `- action: Allow` is valid YAML that allows everything, so a file counts only
//! after its writer has closed or renamed it: while it is being written, its earlier text is used. A
//! directory that vanishes, or turns empty at once, is a mistake far more often than intended, so it
//! is not followed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

use crate::source::{self, DirectoryReader, SourceError, Unit};

/// The directory is read when no further change followed for this long.
const SETTLE: Duration = Duration::from_millis(50);
/// The same after a file replaced another: it is complete, and no file is missing.
const SETTLE_REPLACED: Duration = Duration::from_millis(1);
/// Shortest duration of a read, so that files that are replaced one after another are read together.
const LOOK: Duration = Duration::from_millis(9);
/// The directory is read this long after the first change even if changes never stop.
const SETTLE_LIMIT: Duration = Duration::from_millis(300);
/// After this long with files appearing and vanishing the directory is read as it is.
const UNREST_LIMIT: Duration = Duration::from_secs(2);
/// Longest delay of the kernel's notifications.
const NOTIFICATION_DELAY: Duration = Duration::from_millis(5);
/// Interval of checks for the directory itself: it may vanish, or be replaced as a whole.
const PRESENCE: Duration = Duration::from_secs(1);
/// Interval of reads without a notification, since some file systems send none.
const RESCAN: Duration = Duration::from_secs(30);
/// A file that was not written to for this long counts as complete, even without a close.
const ABANDONED: Duration = Duration::from_secs(60);

/// Reason why the directory's present state is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The directory does not exist.
    Gone,
    /// The directory held policy files, and now holds none.
    Empty,
}

impl Hold {
    /// The message for the operator.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Gone => {
                "the policy directory is gone; the last policy stays in force until it is back, \
                 or until `hep down`"
            }
            Self::Empty => {
                "the policy directory turned empty; the last policy stays in force until there \
                 is a file in it (one that holds a comment means no policy), or until `hep down`"
            }
        }
    }
}

/// The result of reading the directory.
#[derive(Debug)]
pub enum Found {
    /// The same files as at the last read.
    Unchanged,
    /// Other files, or other text in them.
    Changed(Vec<Unit>),
    /// A state that is not followed.
    Held(Hold),
    /// The directory could not be read.
    Unreadable(SourceError),
}

/// Watches one directory, recursively.
pub struct DirectoryWatch {
    directory: PathBuf,
    watcher: Option<RecommendedWatcher>,
    sender: UnboundedSender<notify::Result<Event>>,
    events: UnboundedReceiver<notify::Result<Event>>,
    /// Device and inode of the watched directory.
    identity: Option<(u64, u64)>,
    /// Device and inode that the directory's path had at the last check.
    present: Option<(u64, u64)>,
    /// Files that are being written, with the time of the last notification about each.
    unfinished: BTreeMap<PathBuf, Instant>,
    /// Files with a notification since the last read began.
    touched: BTreeSet<PathBuf>,
    first_change: Option<Instant>,
    /// When to read the directory, if no further change follows.
    settled: Instant,
    /// When the directory counts as quiet, if no further file appears or vanishes.
    rested: Instant,
    /// When a file, directory or link was last created, removed or renamed.
    last_move: Option<Instant>,
    presence: Interval,
    rescan: Interval,
    reader: DirectoryReader,
    accepted: Vec<Unit>,
    /// Accepted files that vanished and have not come back.
    away: BTreeSet<PathBuf>,
    was_read: bool,
}

impl DirectoryWatch {
    /// Starts to watch; needs a tokio runtime. The directory need not exist yet.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let mut watch = Self {
            directory: directory.to_path_buf(),
            watcher: None,
            sender,
            events,
            identity: None,
            present: identity(directory),
            unfinished: BTreeMap::new(),
            touched: BTreeSet::new(),
            first_change: None,
            settled: Instant::now(),
            rested: Instant::now(),
            last_move: None,
            presence: timer(PRESENCE),
            rescan: timer(RESCAN),
            reader: DirectoryReader::default(),
            accepted: Vec::new(),
            away: BTreeSet::new(),
            was_read: false,
        };
        watch.watch_again();
        watch
    }

    /// Sets, before the first read, the files to compare with and to use for unfinished ones.
    pub fn assume(&mut self, files: Vec<Unit>) {
        self.accepted = files;
        self.was_read = true;
    }

    /// The files that were accepted last.
    #[must_use]
    pub fn files(&self) -> &[Unit] {
        &self.accepted
    }

    /// Makes the next read open every file, whether it seems changed or not.
    pub fn forget(&mut self) {
        self.reader.forget_all();
    }

    /// Waits until the directory should be read. Cancel-safe.
    pub async fn changed(&mut self) {
        loop {
            let settled = self
                .first_change
                .map(|first| self.settled.min(first + SETTLE_LIMIT));
            tokio::select! {
                Some(event) = self.events.recv() => self.note(event),
                () = sleep_until(settled.unwrap_or_else(Instant::now)), if settled.is_some() => {
                    self.first_change = None;
                    return;
                }
                _ = self.presence.tick() => self.look_for_directory(),
                _ = self.rescan.tick() => {
                    self.reader.forget_all();
                    return;
                }
            }
        }
    }

    /// Reads the directory once no entry appears or vanishes: an editor moves a file away for a moment, and
    /// a mounted ConfigMap may be exchanged between two files.
    pub async fn read(&mut self) -> Found {
        let deadline = Instant::now() + UNREST_LIMIT;
        let found = loop {
            self.note_all();
            let rested = self.rested.min(deadline);
            if Instant::now() < rested {
                sleep_until(rested).await;
                continue;
            }
            for path in std::mem::take(&mut self.touched) {
                self.reader.forget(&path);
            }
            let start = Instant::now();
            let found = self.reader.read(&self.directory);
            sleep_until((start + LOOK).max(Instant::now() + NOTIFICATION_DELAY)).await;
            self.note_all();
            let has_moved = self.last_move.is_some_and(|last| last >= start);
            if !has_moved || Instant::now() >= deadline {
                break found;
            }
        };
        let files = match found {
            Ok(files) => self.with_stand_ins(files),
            Err(_) if !self.directory.exists() => return Found::Held(Hold::Gone),
            // It changed while it was read; the next read is already due.
            Err(_) if self.first_change.is_some() => return Found::Unchanged,
            Err(error) => return Found::Unreadable(error),
        };
        if files.is_empty() && !self.accepted.is_empty() {
            return Found::Held(Hold::Empty);
        }
        if self.was_read && files == self.accepted {
            return Found::Unchanged;
        }
        self.was_read = true;
        self.accepted.clone_from(&files);
        self.away.clear();
        Found::Changed(files)
    }

    /// Replaces files that are being written, or changed during the read, by their last complete text; a
    /// file without one is left out.
    fn with_stand_ins(&mut self, files: Vec<Unit>) -> Vec<Unit> {
        let now = Instant::now();
        self.unfinished
            .retain(|_, seen| now.duration_since(*seen) < ABANDONED);
        if self.unfinished.is_empty() && self.touched.is_empty() {
            return files;
        }
        files
            .into_iter()
            .filter_map(|file| {
                if file.path().is_none_or(|path| self.is_complete(path)) {
                    return Some(file);
                }
                self.accepted
                    .iter()
                    .find(|earlier| earlier.origin == file.origin)
                    .cloned()
            })
            .collect()
    }

    fn is_complete(&self, path: &Path) -> bool {
        let is_busy =
            |path: &Path| self.unfinished.contains_key(path) || self.touched.contains(path);
        !is_busy(path) && !fs::canonicalize(path).is_ok_and(|path| is_busy(&path))
    }

    /// Processes all pending notifications.
    fn note_all(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.note(event);
        }
    }

    fn note(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else {
            self.lost_track();
            return;
        };
        if event.attrs.flag() == Some(Flag::Rescan) {
            self.lost_track();
            return;
        }
        let is_written = match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => true,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
            | EventKind::Create(CreateKind::Folder) => false,
            EventKind::Create(_) if event.paths.iter().any(|path| is_link(path)) => false,
            EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Access(_)
            | EventKind::Any
            | EventKind::Other => return,
        };
        let settle = self.settle_time(&event);
        let removes = matches!(event.kind, EventKind::Remove(_));
        self.follow(&event);
        for path in event.paths {
            if removes && path == self.directory {
                // The watch ended with it, and the next directory of that name may get its inode.
                self.identity = None;
                self.unfinished.clear();
            }
            if is_written {
                self.unfinished.insert(path.clone(), Instant::now());
            } else {
                self.unfinished.remove(&path);
            }
            self.touched.insert(path);
        }
        let now = Instant::now();
        if is_written {
            self.settled = self.settled.max(now + settle);
            return;
        }
        self.mark_changed(settle);
        if !matches!(event.kind, EventKind::Access(_)) {
            self.last_move = Some(now);
            self.rested = self.rested.max(now + settle);
        }
    }

    /// Tracks which accepted files are away.
    fn follow(&mut self, event: &Event) {
        let (goes, comes) = match (event.kind, &*event.paths) {
            (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), [from, to]) => {
                (Some(from), Some(to))
            }
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), [to]) => (None, Some(to)),
            (
                EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_),
                [from],
            ) => (Some(from), None),
            _ => (None, None),
        };
        let is_known = |path: &&PathBuf| self.accepted.iter().any(|file| file.is_at(path));
        self.away.extend(goes.filter(is_known).cloned());
        if let Some(comes) = comes {
            self.away.remove(comes);
        }
    }

    /// How long to wait for further events after this one.
    fn settle_time(&self, event: &Event) -> Duration {
        let is_arrival = matches!(
            event.kind,
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
        );
        // A file that comes back replaces nothing, and others may be about to follow it.
        let is_known = |path: &Path| {
            !self.away.contains(path) && self.accepted.iter().any(|file| file.is_at(path))
        };
        let arrives = event
            .paths
            .last()
            .filter(|path| is_arrival && is_known(path));
        let others = event.paths.iter().filter(|path| Some(*path) != arrives);
        let mut all = others.map(|path| path.is_dir() || source::is_policy_name(path));
        if all.any(|matters| matters) {
            SETTLE
        } else {
            SETTLE_REPLACED
        }
    }

    /// Handles lost notifications: which files are being written is unknown then.
    fn lost_track(&mut self) {
        self.unfinished.clear();
        self.reader.forget_all();
        self.watch_again();
        self.mark_changed(SETTLE);
    }

    fn mark_changed(&mut self, settle: Duration) {
        let now = Instant::now();
        self.first_change = self.first_change.or(Some(now));
        self.settled = self.settled.max(now + settle);
    }

    /// Checks whether another directory must be watched. One that is away keeps its watcher: after its
    /// return it may be written to before the next check.
    fn look_for_directory(&mut self) {
        let present = identity(&self.directory);
        let is_other = present.is_some() && present != self.identity;
        if is_other {
            self.unfinished.clear();
        }
        if is_other || present != self.present {
            self.present = present;
            self.watch_again();
            self.mark_changed(SETTLE);
        }
    }

    /// Watches the present directory; drops the previous watcher only then, so that nothing is missed.
    fn watch_again(&mut self) {
        let Some(identity) = identity(&self.directory) else {
            return;
        };
        self.identity = Some(identity);
        let sender = self.sender.clone();
        let forward = move |event| {
            // The receiver lives as long as the watcher, so this cannot fail.
            drop(sender.send(event));
        };
        let watcher =
            RecommendedWatcher::new(forward, Config::default()).and_then(|mut watcher| {
                watcher.watch(&self.directory, RecursiveMode::Recursive)?;
                Ok(watcher)
            });
        match watcher {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) => log::warn!(
                "cannot watch {}, it is read every {} s instead: {error}",
                self.directory.display(),
                RESCAN.as_secs()
            ),
        }
    }
}

/// Whether the path is a symbolic link, or one of several names of a file: creating such a path is not
/// followed by a close.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink() || metadata.nlink() > 1)
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(directory).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
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
