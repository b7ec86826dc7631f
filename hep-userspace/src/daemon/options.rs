//! The options of `hep run`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::metrics::Address;
use crate::{
    model::{Behaviour, NodeName},
    store::Location,
};

/// The part that a process plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The daemon, which follows a store.
    Follow(Location),
    /// `hep boot`, and commands without a daemon: the last policy in force is enforced until a daemon takes
    /// over.
    Boot,
}

impl Role {
    /// Whether confirmed policies may be written where users other than root can write.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Follow(location) => location.is_shared(),
            Self::Boot => false,
        }
    }

    /// Whether a store that cannot be reached is waited for.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        match self {
            Self::Follow(location) => location.is_awaited(),
            Self::Boot => false,
        }
    }

    /// The path of the store; empty without one.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Follow(location) => location.path(),
            Self::Boot => Path::new(""),
        }
    }
}

/// Options of the daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the process is the daemon, or its stand-in during boot.
    pub role: Role,
    /// This node's name; HostEndpoints with this `node` are enforced.
    pub node: NodeName,
    /// Whether the node's name is the host's, and follows it.
    pub follows_host: bool,
    /// This node's labels, for the generated HostEndpoint.
    pub node_labels: BTreeMap<String, String>,
    /// The instance's pin directory, absolute.
    pub bpffs: PathBuf,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Directory in which the last good policies are kept.
    pub state_dir: PathBuf,
    /// Number of good policies to keep.
    pub keep_generations: usize,
    /// Generate a HostEndpoint for this node.
    pub auto_host_endpoint: bool,
    /// How packets and flows are treated beyond the policy.
    pub behaviour: Behaviour,
    /// The host's memory, bytes, in place of the kernel's own figure.
    pub memory_bytes: Option<u64>,
    /// Address for metrics and health checks, in addition to those of the FelixConfiguration.
    pub metrics: Option<Address>,
}
