//! Opens directories that only root can change, and everything below them, through no link.
//!
//! A daemon that runs as root and writes to a path writes wherever the path leads at that moment. So
//! the path is walked once, component by component, by descriptors: in each directory on the way, other
//! users must be unable to replace the next component. Everything below is then reached from the
//! descriptor, not by the path.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

use super::{
    error::{DirectoryError, fail},
    way::{Ending, LOOK, Way, is_roots, shared},
};

/// Flags to open a directory for listing and writing.
const OPEN: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Resolve below the descriptor only, and through no link.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Which directories may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Only those that nobody but root can change, on the whole path.
    Root,
    /// Any: the administrator allows its owners to write where root may.
    Anybody,
}

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    descriptor: OwnedFd,
    /// The path as shown in messages.
    path: PathBuf,
    trust: Trust,
}

impl Directory {
    /// Opens a directory by its absolute path, which must not end in a link.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] for the first component that is not as required.
    pub(super) fn open(path: &Path, trust: Trust) -> Result<Self, DirectoryError> {
        let way = match trust {
            Trust::Root => {
                let mut way = Way::new()?;
                way.follow(path, Ending::NoLink)?;
                way.end()
            }
            Trust::Anybody => {
                let look = rustix::fs::open(path, LOOK, Mode::empty()).map_err(fail(path))?;
                let stat = rustix::fs::fstat(&look).map_err(fail(path))?;
                if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                    return Err(DirectoryError::Link(path.to_path_buf()));
                }
                look
            }
        };
        // A descriptor opened with `LOOK` can be neither listed nor synced.
        let opened = rustix::fs::openat(&way, ".", OPEN, Mode::empty());
        let directory = Self {
            descriptor: opened.map_err(fail(path))?,
            path: path.to_path_buf(),
            trust,
        };
        directory.judge()?;
        Ok(directory)
    }

    fn judge(&self) -> Result<(), DirectoryError> {
        let stat = rustix::fs::fstat(&self.descriptor).map_err(fail(&self.path))?;
        match self.trust {
            Trust::Anybody => Ok(()),
            Trust::Root if is_roots(&stat) && stat.st_mode & 0o022 == 0 => Ok(()),
            Trust::Root => Err(shared(&self.path, &stat)),
        }
    }

    /// The path as shown in messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the subdirectory of this name.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub(super) fn child(&self, name: &OsStr) -> Result<Self, DirectoryError> {
        let path = self.path.join(name);
        let opened = rustix::fs::openat2(&self.descriptor, name, OPEN, Mode::empty(), BENEATH);
        let child = Self {
            descriptor: opened.map_err(|errno| link_or(errno, &path))?,
            path,
            trust: self.trust,
        };
        child.judge()?;
        Ok(child)
    }

    /// Opens the directory at a relative path below this one; creates missing components.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub(super) fn make_below(&self, path: &Path) -> Result<Self, DirectoryError> {
        self.below(path, |directory, name| {
            let made = rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755));
            match made {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(fail(&directory.path.join(name))(errno)),
            }
        })
    }

    /// Opens the directory at a relative path below this one.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub(super) fn open_below(&self, path: &Path) -> Result<Self, DirectoryError> {
        self.below(path, |_, _| Ok(()))
    }

    fn below(
        &self,
        path: &Path,
        before: impl Fn(&Self, &OsStr) -> Result<(), DirectoryError>,
    ) -> Result<Self, DirectoryError> {
        let mut directory = Self {
            descriptor: self.descriptor.try_clone().map_err(fail(&self.path))?,
            path: self.path.clone(),
            trust: self.trust,
        };
        for component in path.components() {
            let name = component.as_os_str();
            before(&directory, name)?;
            directory = directory.child(name)?;
        }
        Ok(directory)
    }

    /// The metadata of an entry, without following a link; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn stat(&self, name: &OsStr) -> Result<Option<Stat>, DirectoryError> {
        match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(fail(&self.path.join(name))(errno)),
        }
    }

    /// Creates a new file that only root can access.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn create(&self, name: &OsStr) -> Result<File, DirectoryError> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let made = rustix::fs::openat2(&self.descriptor, name, flags, mode, BENEATH);
        Ok(File::from(made.map_err(fail(&self.path.join(name)))?))
    }

    /// Moves an entry of this directory to another one and replaces what has that name there; a link is
    /// replaced, not followed.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn rename(
        &self,
        from: &OsStr,
        other: &Self,
        to: &OsStr,
    ) -> Result<(), DirectoryError> {
        rustix::fs::renameat(&self.descriptor, from, &other.descriptor, to)
            .map_err(fail(&other.path.join(to)))
    }

    /// Removes an entry; a missing one is no error.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn remove(&self, name: &OsStr, flags: AtFlags) -> Result<(), DirectoryError> {
        match rustix::fs::unlinkat(&self.descriptor, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(fail(&self.path.join(name))(errno)),
        }
    }

    /// The names of all entries.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn names(&self) -> Result<Vec<OsString>, DirectoryError> {
        let read = || {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&self.descriptor)? {
                names.push(OsString::from_vec(entry?.file_name().to_bytes().to_vec()));
            }
            names.retain(|name| name != "." && name != "..");
            Ok::<_, Errno>(names)
        };
        read().map_err(fail(&self.path))
    }

    /// Writes everything of its file system to disk.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`].
    pub(super) fn sync(&self) -> Result<(), DirectoryError> {
        rustix::fs::syncfs(&self.descriptor).map_err(fail(&self.path))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Refuses a directory that users other than root can change, itself or on the way to it; links on the
/// way are followed.
///
/// # Errors
///
/// [`DirectoryError`].
pub fn check(path: &Path) -> Result<(), DirectoryError> {
    let mut way = Way::new()?;
    way.follow(path, Ending::Any)?;
    let end = Directory {
        descriptor: way.end(),
        path: path.to_path_buf(),
        trust: Trust::Root,
    };
    end.judge()
}

fn link_or(errno: Errno, path: &Path) -> DirectoryError {
    match errno {
        Errno::LOOP => DirectoryError::Link(path.to_path_buf()),
        // `openat` with `O_DIRECTORY` and `O_NOFOLLOW` reports a link like this.
        Errno::NOTDIR if path.is_symlink() => DirectoryError::Link(path.to_path_buf()),
        other => fail(path)(other),
    }
}
