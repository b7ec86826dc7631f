//! Location of a store, and its opening.

use std::path::{Path, PathBuf};

use super::{
    Choice,
    config::Config,
    directory::{Trust, Watch},
    etcd::EtcdUpstream,
    follow::Follow,
    kubernetes::KubernetesUpstream,
    source::Source,
};
use crate::model::NodeName;

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
    /// Objects of a store.
    Objects {
        /// How to reach it.
        config: Box<Config>,
        /// Its name, as commands and reports show it.
        name: PathBuf,
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

    /// The store of a choice; `is_shared` is that of [`Self::directory`].
    #[must_use]
    pub fn of(choice: Choice, is_shared: bool) -> Self {
        let config = match choice {
            Choice::Directory(path) => return Self::directory(path, is_shared),
            Choice::Etcd(config) => Config::Etcd(config),
            Choice::Kubernetes(config) => Config::Kubernetes(config),
        };
        let name = PathBuf::from(config.to_string());
        let config = Box::new(config);
        Self::Objects { config, name }
    }

    /// Whether confirmed policies may be written to a directory that users other than root can write to.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Directory { trust, .. } => *trust == Trust::Anybody,
            Self::Objects { .. } => false,
        }
    }

    /// Whether nothing at all may be there for a while without that being a mistake: a store that cannot be
    /// reached is waited for.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        matches!(self, Self::Objects { .. })
    }

    /// Opens the store, which need not exist yet, for the node of this name; needs a tokio runtime.
    #[must_use]
    pub fn open(&self, node: &NodeName) -> Box<dyn Source> {
        match self {
            Self::Directory { path, trust } => Box::new(Watch::new(path, *trust)),
            Self::Objects { config, name } => match &**config {
                Config::Etcd(config) => Box::new(Follow::new(
                    EtcdUpstream::new(config.clone(), node.clone()),
                    name.clone(),
                )),
                Config::Kubernetes(config) => Box::new(Follow::new(
                    KubernetesUpstream::new(config.clone(), node.clone()),
                    name.clone(),
                )),
            },
        }
    }

    /// The path of a directory, or the name of another store, which commands and reports show.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory { path, .. } => path,
            Self::Objects { name, .. } => name,
        }
    }
}
