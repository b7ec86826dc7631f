//! The host that a command runs on: interfaces, hooks, node.

use std::{collections::BTreeMap, path::Path, thread};

use anyhow::Result;

use super::runtime;
use crate::{
    compile::Description,
    daemon::NetworkWatch,
    datapath::attach::{Hooks, Target, hooks as hooks_of},
    model::{Interface, NodeName},
    validate::Node,
};

/// The interfaces of this network namespace.
///
/// # Errors
///
/// If a netlink request fails.
pub(super) fn interfaces() -> Result<Vec<Interface>> {
    let runtime = runtime::of_command()?;
    let network = runtime.block_on(async { NetworkWatch::open()?.read().await })?;
    Ok(network.interfaces)
}

/// How the programs are attached to each interface of a generation, read from the kernel of this
/// network namespace; `links` is the instance's directory of links.
///
/// # Errors
///
/// If no netlink socket can be opened.
pub(super) fn hooks(description: &Description, links: &Path) -> Result<Vec<Hooks>> {
    let runtime = runtime::of_command()?;
    runtime.block_on(async {
        let netlink = NetworkWatch::open()?.handle();
        let mut found = Vec::with_capacity(description.interfaces.len());
        for interface in &description.interfaces {
            let target = Target {
                ifindex: interface.ifindex,
                name: interface.name.as_str().into(),
            };
            found.push(hooks_of(links, &target, &netlink).await);
        }
        Ok(found)
    })
}

/// This host as the node for which resources are validated, under the name `name`.
pub(super) fn node(name: NodeName) -> Node {
    Node {
        name,
        labels: BTreeMap::new(),
        cpus: thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
    }
}
