//! Everything that is configured at one moment, valid as a whole.

use std::sync::Arc;

use super::{FelixConfiguration, GlobalNetworkSet, HostEndpoint, Policy, Profile, Tier, Workload};

/// A set of resources that passed validation. Built-in tiers and profiles are included; all lists
/// are sorted by name (policies by name, then kind).
///
/// Snapshots share the resources that did not change from one load to the next.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// HostEndpoints of all nodes.
    pub endpoints: Vec<Arc<HostEndpoint>>,
    /// Profiles, `projectcalico-default-allow` included.
    pub profiles: Vec<Arc<Profile>>,
    /// Policies, enforced and staged.
    pub policies: Vec<Arc<Policy>>,
    /// Tiers, built-in ones included.
    pub tiers: Vec<Arc<Tier>>,
    /// GlobalNetworkSets, and NetworkSets.
    pub sets: Vec<Arc<GlobalNetworkSet>>,
    /// Workloads, which only rules' selectors look at.
    pub workloads: Vec<Arc<Workload>>,
    /// The effective configuration of this node.
    pub felix: FelixConfiguration,
}

impl Snapshot {
    /// Number of resources that were written, not built in.
    #[must_use]
    pub fn written(&self) -> usize {
        let positions = (self.endpoints.iter().map(|endpoint| &endpoint.metadata))
            .chain(self.profiles.iter().map(|profile| &profile.metadata))
            .chain(self.policies.iter().map(|policy| &policy.metadata))
            .chain(self.tiers.iter().map(|tier| &tier.metadata))
            .chain(self.sets.iter().map(|set| &set.metadata));
        positions
            .filter(|metadata| !metadata.position.is_built_in())
            .count()
    }
}
