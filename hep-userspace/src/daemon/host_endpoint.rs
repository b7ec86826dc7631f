//! The HostEndpoint that `--auto-host-endpoint` keeps in memory, as Calico's controller would make
//! it for this node.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::model::{
    DEFAULT_ALLOW_PROFILE, FelixConfiguration, HostEndpoint, Interface, InterfaceMatch, Metadata,
    Position,
};

/// Label that marks a generated HostEndpoint, with the value Calico's controller gives it.
const GENERATED_LABEL: (&str, &str) = ("projectcalico.org/created-by", "calico-kube-controllers");

/// The generated endpoint of `node`, with its labels and the addresses of its interfaces.
#[must_use]
pub fn generate(
    node: &str,
    labels: &BTreeMap<String, String>,
    interfaces: &[Interface],
    felix: &FelixConfiguration,
) -> HostEndpoint {
    let mut labels = labels.clone();
    labels.insert(GENERATED_LABEL.0.to_owned(), GENERATED_LABEL.1.to_owned());
    HostEndpoint {
        metadata: Metadata {
            name: Arc::from(format!("{node}-auto-hep")),
            labels,
            annotations: BTreeMap::new(),
            position: Position::built_in(),
        },
        node: Arc::from(node),
        interface: InterfaceMatch::All,
        expected_ips: addresses(interfaces, felix),
        profiles: vec![Arc::from(DEFAULT_ALLOW_PROFILE)],
        ports: Vec::new(),
        generated: true,
    }
}

/// The host's own addresses: not loopback's, not link-local, and not those of its workloads'
/// interfaces, which every node may have alike.
fn addresses(interfaces: &[Interface], felix: &FelixConfiguration) -> BTreeSet<IpAddr> {
    let is_workload = |name: &str| {
        felix
            .interface_prefixes
            .iter()
            .any(|prefix| name.starts_with(prefix.as_str()))
    };
    interfaces
        .iter()
        .filter(|interface| !interface.is_loopback && !is_workload(&interface.name))
        .flat_map(|interface| interface.addresses.iter().copied())
        .filter(|address| match address {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        })
        .collect()
}
