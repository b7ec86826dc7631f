//! The policy directory: when it changed, and what it holds.
//!
//! A policy cut off after `- action: Allow` is valid YAML that allows everything, so a file counts
//! only when whoever wrote it has closed or renamed it: while a file is being written, its earlier
//! text stands in for it. A directory that vanishes, or turns empty at once, is a mistake far more
//! often than a wish, and is not obeyed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind},
};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until},
};

use crate::source::{self, File, SourceError};

/// A change is looked at when no other followed for this long.
const SETTLE: Duration = Duration::from_millis(50);
/// A directory that never rests is looked at this long after its first change nevertheless.
const SETTLE_LIMIT: Duration = Duration::from_millis(300);
/// How long the kernel's notifications may take to reach us.
const NOTIFICATION_DELAY: Duration = Duration::from_millis(5);
/// How often the directory itself is looked for: it may vanish, or be replaced as a whole.
const PRESENCE: Duration = Duration::from_secs(1);
/// How often the directory is read without a notification, since some file systems send none.
const RESCAN: Duration = Duration::from_secs(30);
/// A file nobody wrote to for this long counts, even if nobody was seen to close it.
const ABANDONED: Duration = Duration::from_secs(60);

/// Why a directory's present state is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is not there.
    Gone,
    /// It held policy files, and now holds none.
    Empty,
}

impl Hold {
    /// What to tell the operator.
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

/// What a look at the directory found.
#[derive(Debug)]
pub enum Found {
    /// The same files as at the last look.
    Unchanged,
    /// Other files, or other text in them.
    Changed(Vec<File>),
    /// Something that is not obeyed.
    Held(Hold),
    /// It could not be read.
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
    /// Files that are being written, and when that was last seen.
    unfinished: BTreeMap<PathBuf, Instant>,
    /// Files that a notification was about since the last look began.
    touched: BTreeSet<PathBuf>,
    first_change: Option<Instant>,
    last_change: Instant,
    presence: Interval,
    rescan: Interval,
    accepted: Vec<File>,
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
            unfinished: BTreeMap::new(),
            touched: BTreeSet::new(),
            first_change: None,
            last_change: Instant::now(),
            presence: timer(PRESENCE),
            rescan: timer(RESCAN),
            accepted: Vec::new(),
            was_read: false,
        };
        watch.watch_again();
        watch
    }

    /// Says what to compare with, and what to stand in for unfinished files, before the first look.
    pub fn assume(&mut self, files: Vec<File>) {
        self.accepted = files;
        self.was_read = true;
    }

    /// The files of the last look that found any.
    #[must_use]
    pub fn files(&self) -> &[File] {
        &self.accepted
    }

    /// Waits until the directory should be looked at. Nothing is lost if the future is dropped.
    pub async fn changed(&mut self) {
        loop {
            let settled = self
                .first_change
                .map(|first| (self.last_change + SETTLE).min(first + SETTLE_LIMIT));
            tokio::select! {
                Some(event) = self.events.recv() => self.note(event),
                () = sleep_until(settled.unwrap_or_else(Instant::now)), if settled.is_some() => {
                    self.first_change = None;
                    return;
                }
                _ = self.presence.tick() => {
                    if identity(&self.directory) != self.identity {
                        self.watch_again();
                        self.mark_changed();
                    }
                }
                _ = self.rescan.tick() => return,
            }
        }
    }

    /// Looks at the directory.
    pub async fn read(&mut self) -> Found {
        self.touched.clear();
        let found = source::read_directory(&self.directory);
        sleep(NOTIFICATION_DELAY).await;
        while let Ok(event) = self.events.try_recv() {
            self.note(event);
        }
        let files = match found {
            Ok(files) => self.with_stand_ins(files),
            Err(_) if !self.directory.exists() => return Found::Held(Hold::Gone),
            // It changed while it was read; the next look is due already.
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
        Found::Changed(files)
    }

    /// Replaces files that are being written, or changed while they were read, by their last
    /// complete text; a file that has none is left out.
    fn with_stand_ins(&mut self, files: Vec<File>) -> Vec<File> {
        let now = Instant::now();
        self.unfinished
            .retain(|_, seen| now.duration_since(*seen) < ABANDONED);
        if self.unfinished.is_empty() && self.touched.is_empty() {
            return files;
        }
        files
            .into_iter()
            .filter_map(|file| {
                if self.is_complete(&file.path) {
                    return Some(file);
                }
                self.accepted
                    .iter()
                    .find(|earlier| earlier.path == file.path)
                    .cloned()
            })
            .collect()
    }

    fn is_complete(&self, path: &Path) -> bool {
        let is_busy =
            |path: &Path| self.unfinished.contains_key(path) || self.touched.contains(path);
        !is_busy(path) && !fs::canonicalize(path).is_ok_and(|path| is_busy(&path))
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
        let removes = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        for path in event.paths {
            if removes && path == self.directory {
                // The watch went with it, and the next directory of that name may get its inode.
                self.identity = None;
            }
            if is_written {
                self.unfinished.insert(path.clone(), Instant::now());
            } else {
                self.unfinished.remove(&path);
            }
            self.touched.insert(path);
        }
        if is_written {
            self.last_change = Instant::now();
        } else {
            self.mark_changed();
        }
    }

    /// Notifications were lost: nothing is known about who writes what.
    fn lost_track(&mut self) {
        self.unfinished.clear();
        self.watch_again();
        self.mark_changed();
    }

    fn mark_changed(&mut self) {
        let now = Instant::now();
        self.first_change = self.first_change.or(Some(now));
        self.last_change = now;
    }

    fn watch_again(&mut self) {
        self.watcher = None;
        self.unfinished.clear();
        self.identity = identity(&self.directory);
        if self.identity.is_none() {
            return;
        }
        let sender = self.sender.clone();
        let forward = move |event| {
            // The receiver lives as long as the watcher.
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

/// Whether the path is a symbolic link, or one of several names of a file: neither is ever closed
/// after writing.
fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink() || metadata.nlink() > 1)
}

fn identity(directory: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(directory).ok()?;
    metadata.is_dir().then(|| (metadata.dev(), metadata.ino()))
}

/// Ticks for the first time after one period.
fn timer(period: Duration) -> Interval {
    let mut timer = interval(period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _};

    use super::*;

    const A: &str = "# a\n";

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("hep-watch-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("temporary directories can be made");
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).expect("files can be written");
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn texts(found: Found) -> Vec<(String, String)> {
        let Found::Changed(files) = found else {
            panic!("not changed: {found:?}");
        };
        files
            .into_iter()
            .map(|file| {
                let name = file.path.file_name().expect("files have names");
                (
                    name.to_string_lossy().into_owned(),
                    String::from_utf8(file.text.to_vec()).expect("the tests write UTF-8"),
                )
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    async fn settles(watch: &mut DirectoryWatch) -> Duration {
        let start = Instant::now();
        tokio::time::timeout(Duration::from_secs(5), watch.changed())
            .await
            .expect("the change is noticed");
        start.elapsed()
    }

    #[tokio::test]
    async fn a_closed_file_counts_within_the_settle_time() {
        let directory = Directory::new("closed");
        let mut watch = DirectoryWatch::new(&directory.0);
        assert!(matches!(watch.read().await, Found::Changed(files) if files.is_empty()));
        directory.write("a.yaml", A);
        assert!(settles(&mut watch).await < Duration::from_millis(200));
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
        assert!(matches!(watch.read().await, Found::Unchanged));
    }

    #[tokio::test]
    async fn a_half_written_file_is_stood_in_for_by_its_earlier_text() {
        let directory = Directory::new("half");
        directory.write("a.yaml", "old\n");
        let mut watch = DirectoryWatch::new(&directory.0);
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", "old\n")]));
        let mut options = OpenOptions::new();
        let options = options.write(true).truncate(true).create(true);
        let mut old = options
            .open(directory.0.join("a.yaml"))
            .expect("can be opened");
        let mut new = options
            .open(directory.0.join("new.yaml"))
            .expect("can be opened");
        old.write_all(b"- action: Allow\n").expect("can be written");
        new.write_all(b"- action: Allow\n").expect("can be written");
        directory.write("other.yaml", "x\n");
        settles(&mut watch).await;
        assert_eq!(
            texts(watch.read().await),
            pairs(&[("a.yaml", "old\n"), ("other.yaml", "x\n")])
        );
        old.write_all(b"  protocol: TCP\n").expect("can be written");
        drop((old, new));
        settles(&mut watch).await;
        assert_eq!(
            texts(watch.read().await),
            pairs(&[
                ("a.yaml", "- action: Allow\n  protocol: TCP\n"),
                ("new.yaml", "- action: Allow\n"),
                ("other.yaml", "x\n")
            ])
        );
    }

    #[tokio::test]
    async fn a_renamed_and_a_removed_file_count() {
        let directory = Directory::new("rename");
        directory.write("a.yaml", A);
        let mut watch = DirectoryWatch::new(&directory.0);
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
        directory.write(".b.swp", "b\n");
        fs::rename(directory.0.join(".b.swp"), directory.0.join("b.yaml")).expect("can be renamed");
        settles(&mut watch).await;
        assert_eq!(
            texts(watch.read().await),
            pairs(&[("a.yaml", A), ("b.yaml", "b\n")])
        );
        fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
        settles(&mut watch).await;
        assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
    }

    #[tokio::test]
    async fn an_emptied_or_vanished_directory_is_held_and_its_return_is_noticed() {
        let directory = Directory::new("held");
        directory.write("a.yaml", A);
        let mut watch = DirectoryWatch::new(&directory.0);
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
        fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
        settles(&mut watch).await;
        assert!(matches!(watch.read().await, Found::Held(Hold::Empty)));
        fs::remove_dir(&directory.0).expect("can be removed");
        settles(&mut watch).await;
        assert!(matches!(watch.read().await, Found::Held(Hold::Gone)));
        fs::create_dir(&directory.0).expect("can be made");
        directory.write("b.yaml", "b\n");
        settles(&mut watch).await;
        assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
        directory.write("b.yaml", "c\n");
        settles(&mut watch).await;
        assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "c\n")]));
    }

    #[tokio::test]
    async fn a_directory_replaced_between_two_looks_is_watched_again() {
        let directory = Directory::new("replaced");
        directory.write("a.yaml", A);
        let mut watch = DirectoryWatch::new(&directory.0);
        assert_eq!(texts(watch.read().await), pairs(&[("a.yaml", A)]));
        fs::remove_file(directory.0.join("a.yaml")).expect("can be removed");
        fs::remove_dir(&directory.0).expect("can be removed");
        fs::create_dir(&directory.0).expect("can be made");
        settles(&mut watch).await;
        assert!(matches!(watch.read().await, Found::Held(Hold::Empty)));
        directory.write("b.yaml", "b\n");
        settles(&mut watch).await;
        assert_eq!(texts(watch.read().await), pairs(&[("b.yaml", "b\n")]));
    }

    #[tokio::test]
    async fn a_directory_that_never_rests_is_looked_at_after_the_limit() {
        let directory = Directory::new("restless");
        let mut watch = DirectoryWatch::new(&directory.0);
        assert!(matches!(watch.read().await, Found::Changed(files) if files.is_empty()));
        let path = directory.0.clone();
        let writer = tokio::spawn(async move {
            for number in 0..200 {
                fs::write(path.join("a.yaml"), format!("# {number}\n")).expect("can be written");
                sleep(Duration::from_millis(10)).await;
            }
        });
        let waited = settles(&mut watch).await;
        writer.abort();
        assert!(
            waited > SETTLE && waited < Duration::from_millis(600),
            "{waited:?}"
        );
    }
}
