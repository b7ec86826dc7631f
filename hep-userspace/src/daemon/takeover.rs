//! Connections from before an interface came under policy (spec EV-158).
//!
//! Whenever that happens, at the daemon's start or later, they are taken over in the same way. The
//! programs have a few seconds in which they take up themselves what they see of a connection
//! from before, so that none is cut by whatever happens between the daemon's look at the
//! connections and the first packet that is judged. What is silent meanwhile is known from that look.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{netlink::HostNetwork, sockets};
use crate::datapath::{Kernel, KernelError, SeedFlow};

/// The interfaces that come under policy now.
pub(super) struct Takeover {
    fresh: BTreeSet<u32>,
    /// None was under policy before, or nothing is known of the connections of those that were.
    is_whole: bool,
}

impl Takeover {
    /// What there is to take over when the programs are attached to the `wanted` interfaces, of those
    /// that `exist`, and were attached to those `recorded`. `is_cold`: all flows are unknown.
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

    /// Whether no interface was under policy before.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Before programs are attached. Where others are policed already only the programs' own seconds
    /// begin, since an interface that has just appeared is not to wait.
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

    /// When they are: connections may have been opened meanwhile.
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

    /// The host's connections over the interfaces. Of those through it, nobody knows which interfaces they
    /// use, and some may have been cut where others were policed already.
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
