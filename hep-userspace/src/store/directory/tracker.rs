//! State of a directory by the kernel's notifications: which files are being written, and when it is quiet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::Instant,
};

use super::read::is_policy_name;

/// The directory is read when no further change followed for this long.
pub(super) const SETTLE: Duration = Duration::from_millis(50);
/// The same after a file replaced another: it is complete, and no file is missing.
const SETTLE_REPLACED: Duration = Duration::from_millis(1);
/// Interval of reads without a notification, since some file systems send none.
pub(super) const RESCAN: Duration = Duration::from_secs(30);
/// The directory is read this long after the first change even if changes never stop.
const SETTLE_LIMIT: Duration = Duration::from_millis(300);
/// A file that was not written to for this long counts as complete, even without a close.
const ABANDONED: Duration = Duration::from_secs(60);

/// The state of a directory by the notifications about it.
pub(super) struct Tracker {
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
    /// Files of the content that was accepted last.
    accepted: BTreeSet<Arc<Path>>,
    /// Accepted files that vanished and have not come back.
    away: BTreeSet<PathBuf>,
    /// Whether notifications were lost since the last read began.
    has_lost: bool,
}

impl Tracker {
    /// Starts to watch a directory, which need not exist yet.
    pub(super) fn new(directory: &Path) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let now = Instant::now();
        let mut tracker = Self {
            directory: directory.to_path_buf(),
            watcher: None,
            sender,
            events,
            identity: None,
            present: identity(directory),
            unfinished: BTreeMap::new(),
            touched: BTreeSet::new(),
            first_change: None,
            settled: now,
            rested: now,
            last_move: None,
            accepted: BTreeSet::new(),
            away: BTreeSet::new(),
            has_lost: false,
        };
        tracker.watch_again();
        tracker
    }

    /// Sets the files of the content that was accepted; none of them is away.
    pub(super) fn accept(&mut self, files: impl Iterator<Item = Arc<Path>>) {
        self.accepted = files.collect();
        self.away.clear();
    }

    /// Waits for a notification, and processes it. Cancel-safe.
    pub(super) async fn next(&mut self) {
        // The sender is a field of this value, so the channel is never closed.
        if let Some(event) = self.events.recv().await {
            self.note(event);
        }
    }

    /// When to read the directory; `None` without a change since the last read.
    pub(super) fn is_due_at(&self) -> Option<Instant> {
        let first = self.first_change?;
        Some(self.settled.min(first + SETTLE_LIMIT))
    }

    /// Notes that a due read begins.
    pub(super) fn begin(&mut self) {
        self.first_change = None;
    }

    /// Whether a change is waiting for the next read.
    pub(super) const fn has_changed(&self) -> bool {
        self.first_change.is_some()
    }

    /// When the directory counts as quiet, if nothing more happens.
    pub(super) const fn rested(&self) -> Instant {
        self.rested
    }

    /// Whether a file appeared, vanished or was renamed since `start`.
    pub(super) fn has_moved_since(&self, start: Instant) -> bool {
        self.last_move.is_some_and(|last| last >= start)
    }

    /// The files that were touched since the last call; `None` if notifications were lost, so that any may
    /// have been.
    pub(super) fn take_touched(&mut self) -> Option<BTreeSet<PathBuf>> {
        let touched = std::mem::take(&mut self.touched);
        (!std::mem::take(&mut self.has_lost)).then_some(touched)
    }

    /// Whether any file may be incomplete.
    pub(super) fn has_incomplete(&mut self) -> bool {
        let now = Instant::now();
        self.unfinished
            .retain(|_, seen| now.duration_since(*seen) < ABANDONED);
        !(self.unfinished.is_empty() && self.touched.is_empty())
    }

    /// Whether a file is neither being written nor changed since the read began.
    pub(super) fn is_complete(&self, path: &Path) -> bool {
        let is_busy =
            |path: &Path| self.unfinished.contains_key(path) || self.touched.contains(path);
        !is_busy(path) && !fs::canonicalize(path).is_ok_and(|path| is_busy(&path))
    }

    /// Processes all pending notifications.
    pub(super) fn note_all(&mut self) {
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
        let is_known = |path: &&PathBuf| self.accepted.contains(path.as_path());
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
        let is_known = |path: &Path| !self.away.contains(path) && self.accepted.contains(path);
        let arrives = event
            .paths
            .last()
            .filter(|path| is_arrival && is_known(path));
        let others = event.paths.iter().filter(|path| Some(*path) != arrives);
        let mut all = others.map(|path| path.is_dir() || is_policy_name(path));
        if all.any(|matters| matters) {
            SETTLE
        } else {
            SETTLE_REPLACED
        }
    }

    /// Handles lost notifications: which files are being written is unknown then.
    fn lost_track(&mut self) {
        self.unfinished.clear();
        self.has_lost = true;
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
    pub(super) fn check_directory(&mut self) {
        let present = identity(&self.directory);
        let is_other = present.is_some() && present != self.identity;
        if is_other {
            self.unfinished.clear();
        }
        if is_other || present != self.present {
            self.present = present;
            // Another directory has other files.
            self.has_lost = true;
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
