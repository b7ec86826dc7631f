//! The objects that selectors in rules can select: all HostEndpoints, sets and workloads.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::model::{HostEndpoint, Nets, Profile, Snapshot};

/// Labels of an object.
pub(super) type Labels = BTreeMap<String, String>;

/// A HostEndpoint of any node with its own and inherited labels.
struct LabelledEndpoint<'a> {
    endpoint: &'a HostEndpoint,
    labels: Labels,
}

/// Every object that a rule's selectors and named ports can match (SL-049, RS-036, EV-020).
pub(super) struct Objects<'a> {
    endpoints: Vec<LabelledEndpoint<'a>>,
    /// Sets and workloads.
    others: Vec<(&'a Nets, Labels)>,
}

impl<'a> Objects<'a> {
    /// The objects of a snapshot.
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let endpoints = snapshot.endpoints.iter().map(|endpoint| LabelledEndpoint {
            endpoint,
            labels: effective_labels(endpoint, &snapshot.profiles),
        });
        // DS-315: what is in a namespace has the labels of its namespace and service account, too.
        let sets = snapshot.sets.iter().map(|set| {
            let namespace = set.profile().map(Arc::from);
            let profiles: Vec<Arc<str>> = namespace.into_iter().collect();
            let labels = with_inherited(&set.metadata.labels, &profiles, &snapshot.profiles);
            (&set.nets, labels)
        });
        let workloads = snapshot.workloads.iter().map(|workload| {
            let own = &workload.metadata.labels;
            let labels = with_inherited(own, &workload.profiles, &snapshot.profiles);
            (&workload.nets, labels)
        });
        Self {
            endpoints: endpoints.collect(),
            others: sets.chain(workloads).collect(),
        }
    }

    /// Whether `address` belongs to an object whose labels satisfy `selects`: one of the
    /// `expectedIPs` of a HostEndpoint, in the `nets` of a set, or a workload's, and nothing else (SL-055).
    pub(super) fn contain(&self, address: IpAddr, selects: impl Fn(&Labels) -> bool) -> bool {
        let in_endpoint = |object: &LabelledEndpoint<'_>| {
            object.endpoint.expected_ips.contains(&address) && selects(&object.labels)
        };
        let in_other = |(nets, labels): &(&Nets, Labels)| {
            nets.iter().any(|net| net.contains(address)) && selects(labels)
        };
        self.endpoints.iter().any(in_endpoint) || self.others.iter().any(in_other)
    }

    /// Whether (`address`, `protocol`, `port`) is the port called `name` of a HostEndpoint whose
    /// labels satisfy `selects` (EV-124 to EV-126, EV-130, EV-131).
    pub(super) fn have_named_port(
        &self,
        name: &str,
        (address, protocol, port): (IpAddr, u8, u16),
        selects: impl Fn(&Labels) -> bool,
    ) -> bool {
        self.endpoints.iter().any(|object| {
            object.endpoint.expected_ips.contains(&address)
                && object.endpoint.ports.iter().any(|entry| {
                    &*entry.name == name && entry.protocol.number == protocol && entry.port == port
                })
                && selects(&object.labels)
        })
    }
}

/// An endpoint's own labels, and for other keys those of the first of its profiles that has the key
/// (SL-042, SL-043, RS-045).
pub(super) fn effective_labels(endpoint: &HostEndpoint, profiles: &[Arc<Profile>]) -> Labels {
    with_inherited(&endpoint.metadata.labels, &endpoint.profiles, profiles)
}

fn with_inherited(own: &Labels, names: &[Arc<str>], profiles: &[Arc<Profile>]) -> Labels {
    let mut labels = own.clone();
    let inherited = names
        .iter()
        .filter_map(|name| {
            profiles
                .iter()
                .find(|profile| profile.metadata.name == *name)
        })
        .flat_map(|profile| &profile.labels_to_apply);
    for (key, value) in inherited {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    labels
}
