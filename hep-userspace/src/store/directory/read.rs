//! Finding and reading policy files without ever blocking or reading without end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    ops::Bound,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::source::Unit;

/// Largest file that is read. A GlobalNetworkSet of a million members has about 25 MB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Most bytes in all files of a directory together.
pub const MAX_DIRECTORY_BYTES: u64 = 256 << 20;
/// Most files in a directory and those below it.
pub const MAX_FILES: usize = 10_000;
/// Most directories inside each other.
pub const MAX_DIRECTORY_DEPTH: usize = 16;

/// Endings of the names of policy files.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Why policy files cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A symbolic link that leads nowhere.
    #[error("{}: is a symbolic link to nothing; restore its target", .0.display())]
    Dangling(PathBuf),
    /// A directory, FIFO, socket or device that is called like a policy file.
    #[error("{}: is not a regular file; give it another name", .0.display())]
    NotAFile(PathBuf),
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("{}: is larger than {} MiB; split it", .0.display(), MAX_FILE_BYTES >> 20)]
    TooLarge(PathBuf),
    /// All files together are larger than [`MAX_DIRECTORY_BYTES`].
    #[error("{}: the files below are larger than {} MiB together", .0.display(), MAX_DIRECTORY_BYTES >> 20)]
    TooMuch(PathBuf),
    /// More than [`MAX_FILES`].
    #[error("{}: there are more than {MAX_FILES} policy files", .0.display())]
    TooMany(PathBuf),
    /// More than [`MAX_DIRECTORY_DEPTH`] directories inside each other.
    #[error("{}: is more than {MAX_DIRECTORY_DEPTH} directories deep", .0.display())]
    TooDeep(PathBuf),
    /// A directory that was read already, found again by a symbolic link.
    #[error("{}: leads to a directory that is already read; remove the link", .0.display())]
    Loop(PathBuf),
}

impl ReadError {
    /// The affected file or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Dangling(path)
            | Self::NotAFile(path)
            | Self::TooLarge(path)
            | Self::TooMuch(path)
            | Self::TooMany(path)
            | Self::TooDeep(path)
            | Self::Loop(path) => path,
        }
    }
}

/// Reads the policy files (`*.yaml`, `*.yml`, `*.json`) of a directory and of those below it, in the
/// order of their paths.
///
/// Names that start with a dot are left out, so a mounted ConfigMap, whose files are symbolic links
/// into the hidden `..data`, is read once. Symbolic links are followed.
///
/// # Errors
///
/// [`ReadError`] for the first thing that cannot be read whole: nothing is skipped in silence.
pub fn directory(directory: &Path) -> Result<Vec<Unit>, ReadError> {
    DirectoryReader::default().read(directory)
}

/// Reads every policy file that can be read, and reports an error for each of the others (RS-007):
/// [`directory()`] stops at the first.
#[must_use]
pub fn readable(directory: &Path) -> (Vec<Unit>, Vec<ReadError>) {
    DirectoryReader::default().readable(directory, SystemTime::now())
}

/// Reads a directory again and again: a file whose stamp did not change is not read again.
#[derive(Debug, Default)]
pub struct DirectoryReader {
    known: BTreeMap<PathBuf, Known>,
    /// Whether `known` has every policy file of the last read.
    is_whole: bool,
}

/// A file as it was read last.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    file: Unit,
    /// Whether a change since then has given the file another stamp.
    is_settled: bool,
    /// Whether its path leads through a link: then a notification may name another path, or none comes.
    is_linked: bool,
}

impl DirectoryReader {
    /// Reads the policy files; the rules are those of [`directory()`].
    ///
    /// # Errors
    ///
    /// [`ReadError`] for the first thing that cannot be read whole.
    pub fn read(&mut self, directory: &Path) -> Result<Vec<Unit>, ReadError> {
        self.read_at(directory, SystemTime::now())
    }

    /// Reads the policy files, for a read that begins at `now`.
    fn read_at(&mut self, directory: &Path, now: SystemTime) -> Result<Vec<Unit>, ReadError> {
        let (files, errors) = self.readable(directory, now);
        errors.into_iter().next().map_or(Ok(files), Err)
    }

    /// Reads every policy file that can be read, and reports an error for each of the others.
    fn readable(&mut self, directory: &Path, now: SystemTime) -> (Vec<Unit>, Vec<ReadError>) {
        let mut walk = Walk::default();
        if let Err(error) = walk.enter(directory, 0, false) {
            walk.errors.push(error);
        }
        walk.found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut known = std::mem::take(&mut self.known);
        let mut files = Vec::with_capacity(walk.found.len());
        let mut total = 0;
        for (path, stamp, is_linked) in walk.found {
            let former = known.remove(&path);
            let former = former.filter(|known| known.stamp == stamp && known.is_settled);
            let file = match former.map_or_else(|| file(&path), |former| Ok(former.file)) {
                Ok(file) => file,
                Err(error) => {
                    walk.errors.push(error);
                    continue;
                }
            };
            total += file.text.len() as u64;
            if total > MAX_DIRECTORY_BYTES {
                walk.errors.push(ReadError::TooMuch(directory.to_owned()));
                break;
            }
            files.push(file.clone());
            let known = Known::new(stamp, file, is_linked, now);
            self.known.insert(path, known);
        }
        self.is_whole = walk.errors.is_empty();
        walk.errors.sort_by(|a, b| a.path().cmp(b.path()));
        (files, walk.errors)
    }

    /// Reads the files with a notification since the last read and those that may have changed without
    /// another stamp, looks at those behind links, and takes all others as they were: 1 000 files need not be
    /// looked at for one.
    ///
    /// `None` if that is not enough: the last read was not of all files, a file or directory came or went, or
    /// one cannot be read. Then [`Self::read`] is needed.
    pub fn read_touched(&mut self, touched: &BTreeSet<PathBuf>) -> Option<Vec<Unit>> {
        let now = SystemTime::now();
        // Without any file, nothing tells whether the directory itself is still there.
        if !self.is_whole || touched.is_empty() || self.known.is_empty() {
            return None;
        }
        for path in touched {
            if let Some(known) = self.known.get_mut(path) {
                known.is_settled = false;
            } else if is_policy_name(path) || path.is_dir() || self.has_below(path) {
                return None;
            }
        }
        let in_doubt = self
            .known
            .iter_mut()
            .filter(|(_, known)| !known.is_settled || known.is_linked);
        for (path, known) in in_doubt {
            let stamp = Stamp::of(&fs::metadata(path).ok()?);
            if known.is_settled && known.stamp == stamp {
                continue;
            }
            let is_linked = known.is_linked || fs::symlink_metadata(path).ok()?.is_symlink();
            let mut file = file(path).ok()?;
            if file == known.file {
                // Whoever compares it with the former one is done at once.
                file = known.file.clone();
            }
            *known = Known::new(stamp, file, is_linked, now);
        }
        let files: Vec<Unit> = self
            .known
            .values()
            .map(|known| known.file.clone())
            .collect();
        let total: u64 = files.iter().map(|file| file.text.len() as u64).sum();
        (total <= MAX_DIRECTORY_BYTES).then_some(files)
    }

    /// Whether a policy file is below `path`.
    fn has_below(&self, path: &Path) -> bool {
        let from = (Bound::Included(path), Bound::Unbounded);
        let mut from = self.known.range::<Path, _>(from);
        from.next()
            .is_some_and(|(known, _)| known.starts_with(path))
    }

    /// Has the next [`Self::read`] read this file.
    pub fn forget(&mut self, path: &Path) {
        if let Some(known) = self.known.get_mut(path) {
            known.is_settled = false;
        }
    }

    /// Has the next [`Self::read`] read every file: not every file system keeps stamps well.
    pub fn forget_all(&mut self) {
        self.known.clear();
        self.is_whole = false;
    }
}

impl Known {
    fn new(stamp: Stamp, file: Unit, is_linked: bool, now: SystemTime) -> Self {
        Self {
            stamp,
            file,
            is_settled: stamp.is_settled(now),
            is_linked,
        }
    }
}

/// Time within which a write may leave a file's stamp unchanged: the kernel's clock for stamps is up to
/// 10 ms late, other file systems' up to a second.
const STAMP_GRAIN: Duration = Duration::from_secs(2);

/// Which file it is, and when it changed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Seconds and nanoseconds of the last change of content, name, owner or mode; only the kernel sets it.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether a write from `now` on gives the file another stamp.
    fn is_settled(&self, now: SystemTime) -> bool {
        let Ok(now) = now.duration_since(UNIX_EPOCH) else {
            return false;
        };
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        Duration::from_secs(changed) + STAMP_GRAIN < now
    }
}

/// Reads one file.
///
/// # Errors
///
/// [`ReadError`] if it is not a regular file of at most [`MAX_FILE_BYTES`] that can be read.
pub fn file(path: &Path) -> Result<Unit, ReadError> {
    let io = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(path.to_owned()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    let mut text = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(io)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge(path.to_owned()));
    }
    Ok(Unit::file(path, text))
}

/// Whether a file of this name is a policy file.
#[must_use]
pub fn is_policy_name(path: &Path) -> bool {
    let has_ending = path
        .extension()
        .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
    has_ending && !is_hidden(path)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[derive(Default)]
struct Walk {
    /// Policy files, and whether a link below the directory leads to them.
    found: Vec<(PathBuf, Stamp, bool)>,
    /// Device and inode of the directories entered.
    entered: BTreeSet<(u64, u64)>,
    /// Files and directories that cannot be read.
    errors: Vec<ReadError>,
}

impl Walk {
    fn enter(&mut self, directory: &Path, depth: usize, is_linked: bool) -> Result<(), ReadError> {
        let io = |source| ReadError::Io {
            path: directory.to_owned(),
            source,
        };
        if depth > MAX_DIRECTORY_DEPTH {
            return Err(ReadError::TooDeep(directory.to_owned()));
        }
        let metadata = fs::metadata(directory).map_err(io)?;
        if !self.entered.insert((metadata.dev(), metadata.ino())) {
            return Err(ReadError::Loop(directory.to_owned()));
        }
        for entry in fs::read_dir(directory).map_err(io)? {
            let entry = entry.map_err(io)?;
            let is_linked = is_linked || entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match self.consider(entry.path(), depth, is_linked) {
                Err(error @ ReadError::TooMany(_)) => return Err(error),
                Err(error) => self.errors.push(error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn consider(&mut self, path: PathBuf, depth: usize, is_linked: bool) -> Result<(), ReadError> {
        if is_hidden(&path) {
            return Ok(());
        }
        let is_policy = is_policy_name(&path);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Gone since the directory was listed, unless it is a link whose target is missing.
                return match fs::symlink_metadata(&path) {
                    Ok(_) if is_policy => Err(ReadError::Dangling(path)),
                    _ => Ok(()),
                };
            }
            Err(_) if !is_policy => return Ok(()),
            Err(source) => return Err(ReadError::Io { path, source }),
        };
        if is_policy && !metadata.is_file() {
            return Err(ReadError::NotAFile(path));
        }
        if metadata.is_dir() {
            return self.enter(&path, depth + 1, is_linked);
        }
        if is_policy {
            if self.found.len() == MAX_FILES {
                return Err(ReadError::TooMany(path));
            }
            self.found.push((path, Stamp::of(&metadata), is_linked));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
