//! The state directory: the last good policy, and the lock that keeps a second daemon out.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::source;

const LOCK: &str = "lock";
const LAST_GOOD: &str = "last-good";
/// First word of the file, with the version of its format.
const MAGIC: &str = "hep-last-good-1";

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or directory could not be made, read or written.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Another daemon has it.
    #[error("{} belongs to a running hep daemon", .0.display())]
    Busy(PathBuf),
    /// The last good policy does not match its checksum.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
}

/// The state directory, locked.
#[derive(Debug)]
pub struct StateDirectory {
    directory: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    path: PathBuf,
    text: String,
}

impl StateDirectory {
    /// Makes the directory if it is missing, and locks it until the value is dropped.
    ///
    /// # Errors
    ///
    /// [`StateError::Busy`] if another daemon has it, [`StateError::Io`] if it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, StateError> {
        let fail = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StateError::Io { path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fail(directory))?;
        let path = directory.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail(&path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self {
                directory: directory.to_path_buf(),
                _lock: lock,
            }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Busy(directory.to_path_buf())),
            Err(error) => Err(fail(&path)(error.into())),
        }
    }

    /// Replaces the last good policy, so that a reader finds the old or the new one, whole.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`]; the old one is then still there.
    pub fn save(&self, files: &[source::File]) -> Result<(), StateError> {
        let path = self.directory.join(LAST_GOOD);
        let fail = |source| StateError::Io {
            path: path.clone(),
            source,
        };
        let body = encode(files).map_err(|error| fail(error.into()))?;
        let fresh = self.directory.join(format!("{LAST_GOOD}.new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(fail)?;
        file.write_all(&body).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        fs::rename(&fresh, &path).map_err(fail)?;
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(fail)
    }

    /// The last good policy, if one was ever saved.
    ///
    /// # Errors
    ///
    /// As [`last_good`].
    pub fn load(&self) -> Result<Option<Vec<source::File>>, StateError> {
        last_good(&self.directory)
    }
}

/// The last good policy of a state directory that may be another process's, if one was ever saved.
///
/// # Errors
///
/// [`StateError::Damaged`] if it is not what was saved, [`StateError::Io`] if it cannot be read.
pub fn last_good(directory: &Path) -> Result<Option<Vec<source::File>>, StateError> {
    let path = directory.join(LAST_GOOD);
    match fs::read(&path) {
        Ok(body) => decode(&body).map(Some).ok_or(StateError::Damaged(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Io { path, source }),
    }
}

/// Removes what a daemon keeps in its state directory, and the directory if nothing else is in it.
///
/// # Errors
///
/// [`StateError::Busy`] if a daemon runs, [`StateError::Io`] if something cannot be removed.
pub fn remove(directory: &Path) -> Result<(), StateError> {
    if !directory.exists() {
        return Ok(());
    }
    let state = StateDirectory::open(directory)?;
    for name in [LAST_GOOD, "last-good.new", LOCK] {
        let path = state.directory.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StateError::Io { path, source });
            }
            _ => {}
        }
    }
    match fs::remove_dir(directory) {
        Err(source) if source.kind() != io::ErrorKind::DirectoryNotEmpty => Err(StateError::Io {
            path: directory.to_path_buf(),
            source,
        }),
        _ => Ok(()),
    }
}

/// A line with the checksum of everything below it, then the files as JSON.
fn encode(files: &[source::File]) -> serde_json::Result<Vec<u8>> {
    let stored: Vec<StoredFile> = files
        .iter()
        .map(|file| StoredFile {
            path: file.path.to_path_buf(),
            // A good policy is UTF-8: the reader of YAML refuses everything else.
            text: String::from_utf8_lossy(&file.text).into_owned(),
        })
        .collect();
    let json = serde_json::to_vec(&stored)?;
    let mut body = format!("{MAGIC} {}\n", checksum(&json)).into_bytes();
    body.extend(json);
    Ok(body)
}

fn decode(body: &[u8]) -> Option<Vec<source::File>> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let (head, json) = (body.get(..end)?, body.get(end + 1..)?);
    if head != format!("{MAGIC} {}", checksum(json)).as_bytes() {
        return None;
    }
    let stored: Vec<StoredFile> = serde_json::from_slice(json).ok()?;
    Some(
        stored
            .into_iter()
            .map(|file| source::File {
                path: Arc::from(file.path),
                text: file.text.into_bytes().into(),
            })
            .collect(),
    )
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> source::File {
        source::File {
            path: Arc::from(Path::new(path)),
            text: text.as_bytes().to_vec().into(),
        }
    }

    fn directory(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hep-state-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_second_daemon_is_kept_out_until_the_first_is_gone() {
        let path = directory("lock");
        let first = StateDirectory::open(&path).expect("nobody has it");
        assert!(matches!(
            StateDirectory::open(&path),
            Err(StateError::Busy(_))
        ));
        assert!(matches!(remove(&path), Err(StateError::Busy(_))));
        drop(first);
        drop(StateDirectory::open(&path).expect("the first is gone"));
        remove(&path).expect("nobody has it");
        assert!(!path.exists());
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let path = directory("save");
        let state = StateDirectory::open(&path).expect("nobody has it");
        assert!(matches!(state.load(), Ok(None)));
        let files = vec![file("/p/a.yaml", "# é\n"), file("/p/b.yaml", "")];
        state.save(&files).expect("can be written");
        let loaded = state.load().expect("was saved");
        assert_eq!(loaded.as_deref(), Some(files.as_slice()));
        drop(state);
        remove(&path).expect("nobody has it");
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let body = encode(&[file("/p/a.yaml", "x")]).expect("is JSON");
        assert!(decode(&body).is_some());
        for at in 0..body.len() {
            let mut damaged = body.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&body[..at]), None, "cut at {at}");
        }
    }
}
