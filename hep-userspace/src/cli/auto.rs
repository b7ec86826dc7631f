//! Options of the HostEndpoint that the daemon generates for its node, shared by several commands.

use std::{borrow::Cow, collections::BTreeMap};

use clap::Args;

use crate::{
    daemon::effective::{self, Host},
    model::{Interface, Snapshot},
};

/// Whether the daemon generates a HostEndpoint for its node, and its labels.
#[derive(Args, Clone, Debug)]
pub(super) struct AutoHostEndpoint {
    /// Generate a HostEndpoint for this node that covers all interfaces and allows by default
    #[arg(long, env = "HEP_AUTO_HOST_ENDPOINT")]
    pub(super) auto_host_endpoint: bool,
    /// Label of the generated HostEndpoint; may be given several times
    #[arg(
        long = "node-label",
        value_name = "KEY=VALUE",
        value_parser = parse_label,
        value_delimiter = ',',
        env = "HEP_NODE_LABEL"
    )]
    pub(super) node_labels: Vec<(String, String)>,
}

impl AutoHostEndpoint {
    /// Returns the snapshot, with the generated endpoint added if the option is set.
    pub(super) fn complete<'s>(
        &self,
        snapshot: &'s Snapshot,
        node: &str,
        interfaces: &[Interface],
    ) -> Cow<'s, Snapshot> {
        let labels = self.labels();
        effective::completed(
            snapshot,
            &Host {
                node,
                interfaces,
                generated: labels.as_ref(),
            },
        )
    }

    /// Labels of the generated HostEndpoint; `None`: none is generated.
    pub(super) fn labels(&self) -> Option<BTreeMap<String, String>> {
        let labels = self.node_labels.iter().cloned();
        self.auto_host_endpoint.then(|| labels.collect())
    }
}

/// Parses `KEY=VALUE`.
pub(super) fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as role=web".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_key_value() {
        assert!(parse_label("role").is_err());
        assert!(parse_label("=x").is_err());
        assert_eq!(parse_label("k="), Ok(("k".to_owned(), String::new())));
    }
}
