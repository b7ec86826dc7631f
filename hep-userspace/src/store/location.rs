//! Location of a store, and its opening.

use std::path::{Path, PathBuf};

use super::{
    directory::{Trust, Watch},
    source::Source,
};

/// Where policy is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// YAML and JSON files below a directory.
    Directory {
        /// The directory, absolute.
        path: PathBuf,
        /// Which directories confirmed policies may be written to.
        trust: Trust,
    },
}

impl Location {
    /// A directory of policy files. If `is_shared`, confirmed policies may be written to it even if users
    /// other than root can write to it.
    #[must_use]
    pub const fn directory(path: PathBuf, is_shared: bool) -> Self {
        let trust = if is_shared {
            Trust::Anybody
        } else {
            Trust::Root
        };
        Self::Directory { path, trust }
    }

    /// Whether confirmed policies may be written to a directory that users other than root can write to.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Directory { trust, .. } => *trust == Trust::Anybody,
        }
    }

    /// Opens the store, which need not exist yet; needs a tokio runtime.
    #[must_use]
    pub fn open(&self) -> Box<dyn Source> {
        match self {
            Self::Directory { path, trust } => Box::new(Watch::new(path, *trust)),
        }
    }

    /// The path that commands and reports show.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. } => path,
        }
    }
}
