//! What commands know of the host they run on.

use std::{collections::BTreeMap, thread};

use anyhow::Result;

use super::runtime;
use crate::{daemon::NetworkWatch, model::Interface, validate::Node};

/// The kernel's host name as Calico takes it for the node's name: trimmed and in lower case (RS-028).
pub(super) fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().trim().to_lowercase()
}

/// The interfaces of this network namespace.
///
/// # Errors
///
/// If netlink refuses.
pub(super) fn interfaces() -> Result<Vec<Interface>> {
    let runtime = runtime::of_command()?;
    let network = runtime.block_on(async { NetworkWatch::open()?.read().await })?;
    Ok(network.interfaces)
}

/// This host as the resources' reader, under the name `name`.
pub(super) fn node(name: String) -> Node {
    Node {
        name,
        labels: BTreeMap::new(),
        cpus: thread::available_parallelism()
            .map_or(1, |count| u32::try_from(count.get()).unwrap_or(1)),
    }
}
