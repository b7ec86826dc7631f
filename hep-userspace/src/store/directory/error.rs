//! Errors of directories that are written to.

use std::{
    io,
    path::{Path, PathBuf},
};

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
