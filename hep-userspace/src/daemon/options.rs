//! The options of `hep run`.

use std::{collections::BTreeMap, path::PathBuf};

use super::metrics::Address;
use crate::model::NodeName;

/// Options of the daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// The policy directory, absolute; `None`: the last policy in force is enforced until a daemon with a
    /// directory takes over.
    pub policy_dir: Option<PathBuf>,
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
    /// Write confirmed policies also into a policy directory that users other than root can change.
    pub allow_shared_policy_dir: bool,
    /// Number of good policies to keep.
    pub keep_generations: usize,
    /// Generate a HostEndpoint for this node.
    pub auto_host_endpoint: bool,
    /// Judge established flows again when the policy changes, instead of keeping them.
    pub revalidate: bool,
    /// Accept neighbour discovery and multicast listener traffic before policy.
    pub nd_exempt: bool,
    /// Accept router advertisements among these.
    pub ra_exempt: bool,
    /// The skb mark bit of forwarded packets that an untracked policy accepted; 0: none.
    pub bypass_mark: u32,
    /// Report denied packets on the event ring.
    pub deny_events: bool,
    /// The host's memory, bytes, in place of the kernel's own figure.
    pub memory_bytes: Option<u64>,
    /// Address for metrics and health checks, in addition to those of the FelixConfiguration.
    pub metrics: Option<Address>,
}
