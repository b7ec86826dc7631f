//! The HostEndpoint that the daemon can make for its node, as every command is told of it.

use std::borrow::Cow;

use clap::Args;

use crate::{
    daemon::host_endpoint,
    model::{Interface, Snapshot},
};

/// Whether there is one.
#[derive(Args, Clone, Debug)]
pub(super) struct AutoHostEndpoint {
    /// Keep a HostEndpoint for this node in memory that covers all interfaces and allows by default
    #[arg(long, env = "HEP_AUTO_HOST_ENDPOINT")]
    pub(super) auto_host_endpoint: bool,
    /// A label of that HostEndpoint; may be given several times
    #[arg(
        long = "node-label",
        value_name = "KEY=VALUE",
        value_parser = super::parse_label,
        value_delimiter = ',',
        env = "HEP_NODE_LABEL"
    )]
    pub(super) node_labels: Vec<(String, String)>,
}

impl AutoHostEndpoint {
    /// The snapshot with that endpoint, if there is to be one.
    pub(super) fn complete<'s>(
        &self,
        snapshot: &'s Snapshot,
        node: &str,
        interfaces: &[Interface],
    ) -> Cow<'s, Snapshot> {
        if !self.auto_host_endpoint {
            return Cow::Borrowed(snapshot);
        }
        let labels = self.node_labels.iter().cloned().collect();
        host_endpoint::complete(snapshot, node, &labels, interfaces)
    }
}
