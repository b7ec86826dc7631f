//! Opens directories that only root can change, and everything below them, through no link.
//!
//! A daemon that runs as root and writes to a path writes wherever the path leads at that moment. So
//! the path is walked once, component by component, by descriptors: in each directory on the way, other
//! users must be unable to replace the next component. Everything below is then reached from the
//! descriptor, not by the path.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

/// Most links on the way to a directory; the kernel's own limit.
const MAX_LINKS: usize = 40;
/// Flags to open a directory for inspection and for walking on.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Flags to open a directory for listing and writing.
const OPEN: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Resolve below the descriptor only, and through no link.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Reason why a directory is not written to.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A system call failed.
    #[error("{}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The path is a symbolic link, so something else manages its content.
    #[error("{} is a symbolic link, so something else puts the files there", .0.display())]
    Link(PathBuf),
    /// Users other than root could replace it, or put something into it.
    #[error(
        "{} belongs to user {owner} and has mode {mode:o}: others than root can change what is there",
        path.display()
    )]
    Shared {
        /// The directory, or a link on the way.
        path: PathBuf,
        /// User id of the owner.
        owner: u32,
        /// Permission bits.
        mode: u32,
    },
}

impl DirectoryError {
    /// Advice for the operator.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Shared { .. } => {
                "make it root's alone (chown root, chmod go-w), or start the daemon with \
                 --allow-shared-policy-dir"
            }
            Self::Io { .. } => "make it writable",
            Self::Link(_) => "change the policy where it comes from",
        }
    }
}

pub(super) fn fail<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> DirectoryError {
    let path = path.to_path_buf();
    move |source| DirectoryError::Io {
        path,
        source: source.into(),
    }
}

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

/// Whether a path may end in a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Any,
    NoLink,
}

/// The directories from the root to the target of a path.
struct Way {
    directories: Vec<(OwnedFd, PathBuf)>,
    links: usize,
}

impl Way {
    fn new() -> Result<Self, DirectoryError> {
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

    fn end(mut self) -> OwnedFd {
        let last = self.directories.pop();
        last.expect("the root is never taken off").0
    }

    /// Walks on along a path.
    fn follow(&mut self, path: &Path, ending: Ending) -> Result<(), DirectoryError> {
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
fn is_roots(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

fn shared(path: &Path, stat: &Stat) -> DirectoryError {
    DirectoryError::Shared {
        path: path.to_path_buf(),
        owner: stat.st_uid,
        mode: stat.st_mode & 0o7777,
    }
}

fn link_or(errno: Errno, path: &Path) -> DirectoryError {
    match errno {
        Errno::LOOP => DirectoryError::Link(path.to_path_buf()),
        // `openat` with `O_DIRECTORY` and `O_NOFOLLOW` reports a link like this.
        Errno::NOTDIR if path.is_symlink() => DirectoryError::Link(path.to_path_buf()),
        other => fail(path)(other),
    }
}
