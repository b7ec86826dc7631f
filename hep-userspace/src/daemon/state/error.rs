//! Errors of the state directory.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::store::directory::DirectoryError;

/// Reason why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or directory could not be created, read or written.
    #[error("{}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Users other than root could replace it.
    #[error("the state directory decides what is in force")]
    Shared(#[source] DirectoryError),
    /// Another daemon uses it.
    #[error("{} belongs to a running hep daemon", .0.display())]
    Busy(PathBuf),
    /// A file does not match its checksum.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
}

pub(super) fn fail(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_path_buf();
    move |source| StateError::Io { path, source }
}
