//! The way to a directory, walked once, component by component, by descriptors.

use std::{
    ffi::{OsStr, OsString},
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::error::{DirectoryError, fail};

/// Most links on the way to a directory; the kernel's own limit.
const MAX_LINKS: usize = 40;
/// Flags to open a directory for inspection and for walking on.
pub(super) const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Whether a path may end in a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Any,
    NoLink,
}

/// The directories from the root to the target of a path.
pub(super) struct Way {
    directories: Vec<(OwnedFd, PathBuf)>,
    links: usize,
}

impl Way {
    pub(super) fn new() -> Result<Self, DirectoryError> {
        let root = Path::new("/");
        let opened = rustix::fs::open(root, LOOK, Mode::empty()).map_err(fail(root))?;
        Ok(Self {
            directories: vec![(opened, root.to_path_buf())],
            links: 0,
        })
    }

    fn last(&self) -> &(OwnedFd, PathBuf) {
        let last = self.directories.last();
        last.expect("the root is never taken off")
    }

    pub(super) fn end(mut self) -> OwnedFd {
        let last = self.directories.pop();
        last.expect("the root is never taken off").0
    }

    /// Walks on along a path.
    pub(super) fn follow(&mut self, path: &Path, ending: Ending) -> Result<(), DirectoryError> {
        let mut components = path.components().peekable();
        while let Some(component) = components.next() {
            match component {
                Component::RootDir => self.directories.truncate(1),
                Component::CurDir | Component::Prefix(_) => {}
                Component::ParentDir => {
                    let above = self.directories.len() - 1;
                    self.directories.truncate(above.max(1));
                }
                Component::Normal(name) if components.peek().is_none() => {
                    self.enter(name, ending)?;
                }
                Component::Normal(name) => self.enter(name, Ending::Any)?,
            }
        }
        Ok(())
    }

    /// Walks on into an entry of the last directory.
    fn enter(&mut self, name: &OsStr, ending: Ending) -> Result<(), DirectoryError> {
        let (directory, before) = self.last();
        let path = before.join(name);
        let stat = rustix::fs::fstat(directory).map_err(fail(before))?;
        let is_sticky = stat.st_mode & 0o1000 != 0;
        if !is_roots(&stat) || (stat.st_mode & 0o022 != 0 && !is_sticky) {
            return Err(shared(before, &stat));
        }
        let entry = rustix::fs::openat(directory, name, LOOK, Mode::empty());
        let entry = entry.map_err(fail(&path))?;
        let stat = rustix::fs::fstat(&entry).map_err(fail(&path))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            self.directories.push((entry, path));
            return Ok(());
        }
        if ending == Ending::NoLink {
            return Err(DirectoryError::Link(path));
        }
        // In a sticky directory anybody can create a link.
        if !is_roots(&stat) {
            return Err(shared(&path, &stat));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(fail(&path)(Errno::LOOP));
        }
        let target = rustix::fs::readlinkat(&entry, "", Vec::new()).map_err(fail(&path))?;
        let target = OsString::from_vec(target.into_bytes());
        self.follow(Path::new(&target), Ending::Any)
    }
}

/// Whether root or the user of this process owns it, so that nobody else can change its permissions.
pub(super) fn is_roots(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

pub(super) fn shared(path: &Path, stat: &Stat) -> DirectoryError {
    DirectoryError::Shared {
        path: path.to_path_buf(),
        owner: stat.st_uid,
        mode: stat.st_mode & 0o7777,
    }
}
