//! Content of units: resources, their names, and the names that they refer to.

use std::{cmp::Ordering, collections::HashMap, collections::HashSet, sync::Arc};

use super::{felix, header::References, place::Place};
use crate::model::{
    GlobalNetworkSet, HostEndpoint, Metadata, Policy, Profile, ResourceId, Tier, Workload,
};

/// Most resources of a kind that are put into a list one by one.
const FEW: usize = 16;

/// Everything that was found in a unit.
#[derive(Default)]
pub(super) struct Collected {
    /// The valid resources.
    pub(super) resources: Resources,
    /// Every object's identity and where its name is, also of those with problems.
    pub(super) names: Vec<(ResourceId, Place)>,
    pub(super) references: References,
}

/// A resource, decoded.
pub(super) enum Resource {
    Endpoint(Arc<HostEndpoint>),
    Profile(Arc<Profile>),
    Policy(Arc<Policy>),
    Tier(Arc<Tier>),
    Set(Arc<GlobalNetworkSet>),
    Workload(Arc<Workload>),
    Felix(Arc<felix::Settings>),
    Node(Arc<NodeLabels>),
}

/// The labels of a node.
#[derive(Debug, PartialEq)]
pub(super) struct NodeLabels {
    pub(super) metadata: Metadata,
}

/// Resources by kind.
#[derive(Clone, Default)]
pub(super) struct Resources {
    pub(super) endpoints: Vec<Arc<HostEndpoint>>,
    pub(super) profiles: Vec<Arc<Profile>>,
    pub(super) policies: Vec<Arc<Policy>>,
    pub(super) tiers: Vec<Arc<Tier>>,
    pub(super) sets: Vec<Arc<GlobalNetworkSet>>,
    pub(super) workloads: Vec<Arc<Workload>>,
    pub(super) felix: Vec<Arc<felix::Settings>>,
    pub(super) nodes: Vec<Arc<NodeLabels>>,
}

/// Applies a function to each pair of lists of two sets of resources.
macro_rules! each {
    ($function:ident($one:expr, $other:expr)) => {
        $function(&mut $one.endpoints, &$other.endpoints);
        $function(&mut $one.profiles, &$other.profiles);
        $function(&mut $one.policies, &$other.policies);
        $function(&mut $one.tiers, &$other.tiers);
        $function(&mut $one.sets, &$other.sets);
        $function(&mut $one.workloads, &$other.workloads);
        $function(&mut $one.felix, &$other.felix);
        $function(&mut $one.nodes, &$other.nodes);
    };
}

impl Resources {
    /// Adds a resource.
    pub(super) fn push(&mut self, resource: Resource) {
        match resource {
            Resource::Endpoint(endpoint) => self.endpoints.push(endpoint),
            Resource::Profile(profile) => self.profiles.push(profile),
            Resource::Policy(policy) => self.policies.push(policy),
            Resource::Tier(tier) => self.tiers.push(tier),
            Resource::Set(set) => self.sets.push(set),
            Resource::Workload(workload) => self.workloads.push(workload),
            Resource::Felix(settings) => self.felix.push(settings),
            Resource::Node(node) => self.nodes.push(node),
        }
    }

    /// Adds those of a unit.
    pub(super) fn extend(&mut self, unit: &Self) {
        fn extend<T>(list: &mut Vec<Arc<T>>, others: &[Arc<T>]) {
            list.extend_from_slice(others);
        }
        each!(extend(self, unit));
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
            && self.profiles.is_empty()
            && self.policies.is_empty()
            && self.tiers.is_empty()
            && self.sets.is_empty()
            && self.workloads.is_empty()
            && self.felix.is_empty()
            && self.nodes.is_empty()
    }

    /// Puts the resource of an earlier reading in place of each that is the same, so that whoever compares
    /// two loads recognises it by its pointer.
    pub(super) fn reuse(&mut self, former: &Self) {
        each!(reuse(self, former));
    }

    /// Takes resources out of lists that are in order.
    pub(super) fn remove(&mut self, gone: &Self) {
        each!(remove(self, gone));
    }

    /// Puts resources into lists that are in order.
    pub(super) fn insert(&mut self, come: &Self) {
        each!(insert(self, come));
    }
}

/// A resource that has a place in the lists of a snapshot.
trait Listed {
    fn name(&self) -> &str;

    /// The order in a snapshot's list; of resources of one name, which are a mistake, that of their places.
    fn order(&self, other: &Self) -> Ordering;

    /// Whether there is no difference, not even in the place.
    fn is_same(&self, other: &Self) -> bool;
}

fn by_name(one: &Metadata, other: &Metadata) -> Ordering {
    (&one.name, &one.position).cmp(&(&other.name, &other.position))
}

/// Makes resources [`Listed`] by their names.
macro_rules! listed {
    ($($type:ty),*) => {
        $(impl Listed for $type {
            fn name(&self) -> &str {
                &self.metadata.name
            }

            fn order(&self, other: &Self) -> Ordering {
                by_name(&self.metadata, &other.metadata)
            }

            fn is_same(&self, other: &Self) -> bool {
                self == other
            }
        })*
    };
}

listed!(
    HostEndpoint,
    Profile,
    Tier,
    GlobalNetworkSet,
    Workload,
    NodeLabels
);

impl Listed for Policy {
    fn name(&self) -> &str {
        &self.metadata.name
    }

    fn order(&self, other: &Self) -> Ordering {
        let names = self.metadata.name.cmp(&other.metadata.name);
        names
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| self.metadata.position.cmp(&other.metadata.position))
    }

    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Listed for felix::Settings {
    fn name(&self) -> &str {
        self.name()
    }

    fn order(&self, other: &Self) -> Ordering {
        self.name().cmp(other.name())
    }

    /// Settings are functions.
    fn is_same(&self, _other: &Self) -> bool {
        false
    }
}

fn reuse<T: Listed>(list: &mut [Arc<T>], former: &[Arc<T>]) {
    let former: HashMap<&str, &Arc<T>> = former.iter().map(|it| (it.name(), it)).collect();
    for resource in list {
        if let Some(same) = former.get(resource.name())
            && same.is_same(resource)
        {
            *resource = Arc::clone(same);
        }
    }
}

fn remove<T: Listed>(list: &mut Vec<Arc<T>>, gone: &[Arc<T>]) {
    if gone.len() > FEW {
        let gone: HashSet<*const T> = gone.iter().map(Arc::as_ptr).collect();
        list.retain(|resource| !gone.contains(&Arc::as_ptr(resource)));
        return;
    }
    for one in gone {
        let first = list.partition_point(|other| other.order(one).is_lt());
        let is_it = |other: &Arc<T>| Arc::ptr_eq(other, one);
        if let Some(behind) = list.iter().skip(first).position(is_it) {
            list.remove(first + behind);
        }
    }
}

fn insert<T: Listed>(list: &mut Vec<Arc<T>>, come: &[Arc<T>]) {
    if come.len() > FEW {
        list.extend_from_slice(come);
        list.sort_by(|one, other| one.order(other));
        return;
    }
    for one in come {
        let place = list.partition_point(|other| other.order(one).is_le());
        list.insert(place, Arc::clone(one));
    }
}
