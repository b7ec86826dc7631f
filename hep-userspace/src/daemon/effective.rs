//! The policy as it is enforced: with the generated endpoint, and restricted during a panic. The daemon and
//! every command that judges packets by a policy ask here.

use std::{borrow::Cow, collections::BTreeMap};

use super::{host_endpoint, panic_mode};
use crate::model::{FelixConfiguration, HostEndpoint, Interface, Snapshot};

/// The host that a policy is for.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// This node's name.
    pub node: &'a str,
    /// Its interfaces.
    pub interfaces: &'a [Interface],
    /// Labels of the generated HostEndpoint; `None`: none is generated.
    pub generated: Option<&'a BTreeMap<String, String>>,
}

impl Host<'_> {
    /// The generated HostEndpoint under a configuration, if one is generated.
    fn endpoint(&self, felix: &FelixConfiguration) -> Option<HostEndpoint> {
        let labels = self.generated?;
        Some(host_endpoint::generate(
            self.node,
            labels,
            self.interfaces,
            felix,
        ))
    }
}

/// The policy with the endpoint that is generated for this host, unless a written one has its name.
#[must_use]
pub fn completed<'s>(snapshot: &'s Snapshot, host: &Host<'_>) -> Cow<'s, Snapshot> {
    host_endpoint::add(snapshot, host.endpoint(&snapshot.felix))
}

/// The policy as it is enforced on this host.
#[must_use]
pub fn snapshot<'s>(snapshot: &'s Snapshot, host: &Host<'_>, is_panic: bool) -> Cow<'s, Snapshot> {
    restricted(completed(snapshot, host), host.node, is_panic)
}

/// The policy as it is enforced with an endpoint that was generated before.
#[must_use]
pub fn snapshot_with<'s>(
    snapshot: &'s Snapshot,
    node: &str,
    generated: Option<HostEndpoint>,
    is_panic: bool,
) -> Cow<'s, Snapshot> {
    restricted(host_endpoint::add(snapshot, generated), node, is_panic)
}

fn restricted<'s>(completed: Cow<'s, Snapshot>, node: &str, is_panic: bool) -> Cow<'s, Snapshot> {
    if is_panic {
        Cow::Owned(panic_mode::restrict(completed.into_owned(), node))
    } else {
        completed
    }
}
