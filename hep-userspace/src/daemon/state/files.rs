//! Files of the state directory, which decide what is in force: opened without following links or
//! blocking, and read only if root owns them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::error::{StateError, fail};

pub(super) const LOCK: &str = "lock";
pub(super) const JOURNAL: &str = "journal";
pub(super) const PENDING: &str = "coming";
pub(super) const SNAPSHOTS: &str = "snapshots";

/// Flags to follow no link and not to block on a FIFO.
const CAREFULLY: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Reads a whole file.
///
/// # Errors
///
/// `InvalidData` for files that no daemon wrote (not regular, or not root's); else the system's error.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(CAREFULLY)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(foreign()),
        // The path is a socket.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Err(foreign()),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || !is_own(metadata.uid()) {
        return Err(foreign());
    }
    let mut body = Vec::new();
    file.read_to_end(&mut body)?;
    Ok(body)
}

/// Creates a file, replacing one that a dead daemon left half written.
///
/// # Errors
///
/// The error of the system call.
pub(super) fn create(path: &Path) -> io::Result<File> {
    ignore_missing(fs::remove_file(path))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(CAREFULLY)
        .mode(0o600)
        .open(path)
}

/// Opens a file for locking, and creates it if it is missing.
///
/// # Errors
///
/// `InvalidData` if the path is not a regular file; else the system's error.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(CAREFULLY)
        .mode(0o600)
        .open(path)?;
    match lock.metadata()?.is_file() {
        true => Ok(lock),
        false => Err(foreign()),
    }
}

/// Moves a foreign file out of the way, and keeps it for inspection.
///
/// # Errors
///
/// The error of the system call.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    let is_file = fs::symlink_metadata(path)?.is_file();
    if is_file {
        return Ok(());
    }
    fs::rename(path, path.with_extension("set-aside"))
}

fn foreign() -> io::Error {
    let text = "is no regular file of root's";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn is_own(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

/// Atomically replaces a file; if it `is_to_last`, syncs it and its directory.
pub(super) fn replace(
    directory: &Path,
    name: &str,
    is_to_last: bool,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), StateError> {
    let path = directory.join(name);
    let fresh = directory.join(format!("{name}.new"));
    let put = || {
        let file = create(&fresh)?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        let file = out.into_inner()?;
        if is_to_last {
            file.sync_all()?;
        }
        fs::rename(&fresh, &path)?;
        if is_to_last {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    };
    put().map_err(fail(&path))
}

pub(super) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(super) fn snapshot_path(directory: &Path, generation: u32) -> PathBuf {
    directory.join(SNAPSHOTS).join(generation.to_string())
}
