//! Files of the state directory: opened without following a link or waiting, and read only if they are
//! root's, since whoever can write here decides what is in force.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

/// A link is not followed, and a FIFO not waited for.
const CAREFULLY: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;

/// Reads a file whole.
///
/// # Errors
///
/// `InvalidData` for what no daemon wrote: no regular file, or not root's; else what the system says.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(CAREFULLY)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(foreign()),
        // A socket.
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

/// Makes a file in place of one that a dead daemon left half written.
///
/// # Errors
///
/// What the system says.
pub(super) fn create(path: &Path) -> io::Result<File> {
    super::ignore_missing(fs::remove_file(path))?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(CAREFULLY)
        .mode(0o600)
        .open(path)
}

/// Opens a file to be locked, and makes it if it is missing.
///
/// # Errors
///
/// `InvalidData` if something else is there; else what the system says.
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

/// Moves what is no file of ours out of the way, for whoever wants to know.
///
/// # Errors
///
/// What the system says.
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
