//! The HostEndpoint that `--auto-host-endpoint` generates in memory, like the one that Calico's
//! controller would create for this node.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::model::{
    DEFAULT_ALLOW_PROFILE, FelixConfiguration, HostEndpoint, Interface, InterfaceMatch, Metadata,
    Position, Snapshot,
};

/// Label that marks a generated HostEndpoint, with the value Calico's controller gives it.
const GENERATED_LABEL: (&str, &str) = ("projectcalico.org/created-by", "calico-kube-controllers");

/// Adds a generated endpoint to the snapshot, unless a written endpoint has its name and so replaces it.
#[must_use]
pub fn add(snapshot: &Snapshot, generated: Option<HostEndpoint>) -> Cow<'_, Snapshot> {
    let Some(generated) = generated else {
        return Cow::Borrowed(snapshot);
    };
    let name = &generated.metadata.name;
    let written = &snapshot.endpoints;
    match written.binary_search_by(|written| written.metadata.name.cmp(name)) {
        Ok(_) => Cow::Borrowed(snapshot),
        Err(place) => {
            let mut snapshot = snapshot.clone();
            snapshot.endpoints.insert(place, Arc::new(generated));
            Cow::Owned(snapshot)
        }
    }
}

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
        closed: false,
    }
}

/// The host's own addresses, without those of loopback, link-local ones and those of workload
/// interfaces, which may be the same on every node.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::LinkLayer,
        validate::{self, Node, Scope},
    };

    fn interface(ifindex: u32, name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: Arc::from(name),
            ifindex,
            addresses: addresses
                .iter()
                .map(|text| text.parse().expect("the test writes addresses"))
                .collect(),
            link_layer: LinkLayer::Ethernet,
            is_loopback: name == "lo",
            is_member: false,
            vlan_of: None,
            ..Interface::default()
        }
    }

    /// Like the one of Calico's controller: every interface, the node's labels, its addresses, and the
    /// profile that allows.
    #[test]
    fn it_has_the_nodes_labels_and_the_hosts_own_addresses() {
        let node = Node {
            name: "h1".into(),
            labels: BTreeMap::new(),
            cpus: 1,
        };
        let empty = validate::load(&[], &node, Scope::Directory).snapshot;
        let felix = empty.expect("an empty directory is valid").felix;
        let interfaces = [
            interface(1, "lo", &["127.0.0.1", "::1", "198.51.100.1"]),
            interface(2, "eth0", &["192.0.2.10", "2001:db8::10", "fe80::10"]),
            interface(3, "eth1", &["169.254.7.7", "10.0.0.1"]),
            interface(4, "cali7", &["169.254.1.1", "10.65.0.1"]),
        ];
        let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        let made = generate("h1", &labels, &interfaces, &felix);
        assert_eq!(&*made.metadata.name, "h1-auto-hep");
        assert_eq!(made.interface, InterfaceMatch::All);
        assert!(made.generated);
        assert_eq!(made.profiles, [Arc::from(DEFAULT_ALLOW_PROFILE)]);
        assert_eq!(made.metadata.labels["env"], "prod");
        assert_eq!(made.metadata.labels[GENERATED_LABEL.0], GENERATED_LABEL.1);
        let addresses: Vec<String> = made.expected_ips.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "192.0.2.10", "2001:db8::10"]);
    }
}
