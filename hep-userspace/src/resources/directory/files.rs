//! Files of a directory, written whole.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use crate::store::objects::ClientError;

/// Permissions of a new file; an existing one keeps its own, but nobody but the owner may write.
const MODE: u32 = 0o644;
const MODES: u32 = 0o755;

/// The right to write into a directory, which one `hep` has at a time.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is held while it is open")] File);

impl Lock {
    /// Waits for the right to write.
    pub(super) fn take(directory: &Path) -> Result<Self, ClientError> {
        let file = File::open(directory).map_err(|error| failed(directory, &error))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed(directory, &error.into()))?;
        Ok(Self(file))
    }
}

/// Writes a file whole, by a rename; without a text, removes it. A link is refused, since the rename would
/// replace it.
pub(super) fn write(path: &Path, text: Option<&str>) -> Result<(), ClientError> {
    let former = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            let text = format!("{} is a link; edit the file that it names", path.display());
            return Err(ClientError::Store(text));
        }
        Ok(metadata) => Some(metadata.permissions().mode()),
        Err(_) => None,
    };
    let written = match text {
        None => fs::remove_file(path),
        Some(text) => replace(path, text, former.map_or(MODE, |mode| mode & MODES)),
    };
    written.map_err(|error| failed(path, &error))
}

fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    // The reader of policy files skips hidden names.
    let staged = directory.join(format!(".hep-{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&staged, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        drop(fs::remove_file(&staged));
    }
    written
}

fn failed(path: &Path, error: &io::Error) -> ClientError {
    ClientError::Store(format!("{}: {error}", path.display()))
}
