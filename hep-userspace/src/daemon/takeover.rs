//! Takes over connections that are older than policy on their interface (spec EV-158).
//!
//! The way is the same at the daemon's start and later. For a few seconds (the grace) the programs
//! accept connections that they see in mid-stream, so that none is cut by whatever happens between the
//! daemon's look at the connections and the first packet that is judged. Connections that are silent
//! during the grace are known from that look.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{netlink::HostNetwork, sockets};
use crate::datapath::{Kernel, KernelError, SeedFlow};

/// Interfaces that come under policy now.
pub(super) struct Takeover {
    fresh: BTreeSet<u32>,
    /// Whether no interface was under policy before, or the flows of those that were are unknown.
    is_whole: bool,
}

impl Takeover {
    /// Plans the takeover: the programs are to be on the `wanted` interfaces, and were on those `recorded`,
    /// of which only those that `exist` count. `is_cold`: all flows are unknown.
    pub(super) fn plan(
        wanted: &BTreeSet<u32>,
        recorded: &BTreeSet<u32>,
        exist: &BTreeMap<u32, Arc<str>>,
        is_cold: bool,
    ) -> Self {
        let had_programs = |ifindex: &u32| recorded.contains(ifindex);
        if is_cold {
            return Self {
                fresh: wanted.clone(),
                is_whole: true,
            };
        }
        Self {
            fresh: wanted.difference(recorded).copied().collect(),
            is_whole: !exist.keys().any(had_programs),
        }
    }

    /// Whether all connections of the host are taken over.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Runs before the programs are attached. Seeds connections only if no other interface is policed: an
    /// interface that has just appeared must not wait for that. The grace begins in either case.
    pub(super) fn begin(
        &self,
        kernel: &mut Kernel,
        network: &HostNetwork,
    ) -> Result<(), KernelError> {
        kernel.begin_grace(&self.fresh)?;
        if self.is_whole {
            kernel.seed(&self.connections(network))?;
        }
        Ok(())
    }

    /// Runs after the programs are attached: seeds also the connections that were opened meanwhile.
    pub(super) fn end(
        &self,
        kernel: &mut Kernel,
        network: &HostNetwork,
    ) -> Result<(), KernelError> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        kernel.begin_grace(&self.fresh)?;
        let connections = self.connections(network);
        kernel.seed(&connections)?;
        if !connections.is_empty() {
            log::info!("{} connections from before are kept", connections.len());
        }
        Ok(())
    }

    /// The host's own connections over the interfaces. Forwarded ones are included only in a takeover of all
    /// connections: their interfaces are unknown, and policed interfaces may have cut some.
    fn connections(&self, network: &HostNetwork) -> Vec<SeedFlow> {
        if self.fresh.is_empty() {
            return Vec::new();
        }
        if self.is_whole {
            return sockets::connections();
        }
        let addresses: BTreeSet<IpAddr> = network
            .interfaces
            .iter()
            .filter(|interface| self.fresh.contains(&interface.ifindex))
            .flat_map(|interface| interface.addresses.iter().copied())
            .collect();
        if addresses.is_empty() {
            return Vec::new();
        }
        let mut flows = sockets::connections();
        flows.retain(|flow| {
            addresses.contains(&flow.opener.0) || addresses.contains(&flow.responder.0)
        });
        flows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(wanted: &[u32], recorded: &[u32], exist: &[u32], is_cold: bool) -> (Vec<u32>, bool) {
        let exist = exist.iter().map(|ifindex| (*ifindex, Arc::from("eth")));
        let takeover = Takeover::plan(
            &wanted.iter().copied().collect(),
            &recorded.iter().copied().collect(),
            &exist.collect(),
            is_cold,
        );
        (takeover.fresh.into_iter().collect(), takeover.is_whole)
    }

    /// EV-158: at a start, and when the first endpoint comes, whatever is left of an interface that
    /// is gone.
    #[test]
    fn the_first_policed_interfaces_take_over_all_connections() {
        assert_eq!(plan(&[2, 3], &[], &[1, 2, 3], true), (vec![2, 3], true));
        assert_eq!(plan(&[2, 3], &[], &[1, 2, 3], false), (vec![2, 3], true));
        assert_eq!(plan(&[2], &[9], &[1, 2], false), (vec![2], true));
    }

    /// EV-158: flows that another version left may be unreadable, though its programs are attached.
    #[test]
    fn unknown_flows_are_taken_over_where_programs_are_attached() {
        assert_eq!(plan(&[2, 3], &[2, 3], &[1, 2, 3], true), (vec![2, 3], true));
    }

    /// EV-158: what was cut at an interface stays so when another one comes under policy.
    #[test]
    fn a_later_interface_takes_over_its_own_connections_only() {
        assert_eq!(plan(&[2, 3], &[2], &[1, 2, 3], false), (vec![3], false));
        assert_eq!(plan(&[2, 3], &[2, 3], &[1, 2, 3], false), (vec![], false));
    }
}
