//! The lists of the last compilation, for a generation that differs in the members of sets alone.

use std::sync::Arc;

use super::{
    expand::{Matcher, SelectedSet},
    table::{ListTable, Owner},
};
use crate::{
    model::{
        EndpointToHostAction, FailsafePort, FelixConfiguration, HostEndpoint, IpFamily, Policy,
        Profile, Snapshot, Tier,
    },
    selector::Selector,
};

/// Lists, and everything that they were made from.
#[derive(Debug)]
pub(crate) struct KnownLists {
    policies: Vec<Arc<Policy>>,
    profiles: Vec<Arc<Profile>>,
    tiers: Vec<Arc<Tier>>,
    endpoints: Vec<Arc<HostEndpoint>>,
    felix: Felix,
    node: String,
    owners: Vec<Owner>,
    /// The sets that selectors stood for.
    selected: Vec<(Arc<Selector>, IpFamily, SelectedSet)>,
    pub(crate) table: ListTable,
}

/// The configuration that lists depend on.
#[derive(Debug, PartialEq)]
struct Felix {
    failsafes: [Vec<FailsafePort>; 2],
    endpoint_to_host: EndpointToHostAction,
    guards_workloads: bool,
    log_prefix: String,
}

impl Felix {
    fn of(felix: &FelixConfiguration) -> Self {
        Self {
            failsafes: [
                felix.failsafe_inbound.clone(),
                felix.failsafe_outbound.clone(),
            ],
            endpoint_to_host: felix.endpoint_to_host,
            guards_workloads: !felix.interface_prefixes.is_empty(),
            log_prefix: felix.log_prefix.clone(),
        }
    }
}

impl KnownLists {
    /// The lists of a snapshot on this node, whose interfaces have these `owners`; `None` if they depend on
    /// named ports, which are numbered anew in each generation.
    pub(crate) fn new(
        snapshot: &Snapshot,
        (node, owners): (&str, Vec<Owner>),
        matcher: &mut Matcher<'_>,
        table: &ListTable,
    ) -> Option<Self> {
        let used = matcher.objects.used().into_iter();
        let selected = used.map(|(selector, family)| {
            let set = matcher.set(&selector, family);
            (selector, family, set)
        });
        let selected = selected.collect();
        (!matcher.named_ports.is_used()).then(|| Self {
            policies: snapshot.policies.clone(),
            profiles: snapshot.profiles.clone(),
            tiers: snapshot.tiers.clone(),
            endpoints: snapshot.endpoints.clone(),
            felix: Felix::of(&snapshot.felix),
            node: node.to_owned(),
            owners,
            selected,
            table: table.clone(),
        })
    }

    /// Whether the lists of a snapshot are these: nothing differs but the members of sets.
    pub(crate) fn are_of(
        &self,
        snapshot: &Snapshot,
        (node, owners): (&str, &[Owner]),
        matcher: &mut Matcher<'_>,
    ) -> bool {
        are_same(&self.policies, &snapshot.policies)
            && are_same(&self.profiles, &snapshot.profiles)
            && are_same(&self.tiers, &snapshot.tiers)
            // A generated endpoint is made for each compilation.
            && self.endpoints == snapshot.endpoints
            && self.felix == Felix::of(&snapshot.felix)
            && self.node == node
            && self.owners == owners
            && (self.selected.iter())
                .all(|(selector, family, set)| matcher.set(selector, *family) == *set)
    }
}

/// Whether these are the very same resources.
fn are_same<T>(some: &[Arc<T>], others: &[Arc<T>]) -> bool {
    let mut pairs = some.iter().zip(others);
    some.len() == others.len() && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
}
