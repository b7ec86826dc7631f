//! Rule selectors → the addresses of the objects that satisfy them.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    sync::Arc,
};

use ipnetwork::IpNetwork;

use super::{
    labels::{self, effective_labels, inherited},
    ranges::Position,
    union::{Union, Unions},
};
use crate::{
    compile::{CompileError, description::shape::SetDescription},
    model::{EntityRule, HostEndpoint, IpFamily, Nets, Snapshot},
    selector::Selector,
};

/// Something that rule selectors can select.
#[derive(Debug)]
struct Object<'s> {
    /// `Kind/name`.
    name: Arc<str>,
    labels: BTreeMap<String, String>,
    nets: Nets,
    endpoint: Option<&'s HostEndpoint>,
}

/// The condition of the selectors of one side of a rule, combined (EV-107, SL-057, RS-103).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SideSelector {
    /// No constraint.
    None,
    /// The address must belong to a selected object.
    Within(Arc<Selector>),
    /// The address must not belong to a selected object.
    Outside(Arc<Selector>),
}

impl SideSelector {
    /// Merges `selector` and `notSelector` of a side.
    pub(crate) fn of(side: &EntityRule) -> Self {
        match (side.selector.clone(), &side.not_selector) {
            (None, None) => Self::None,
            (Some(positive), None) => Self::Within(positive),
            (Some(positive), Some(negative)) => Self::Within(Arc::new(positive.except(negative))),
            (None, Some(negative)) => Self::Outside(Arc::clone(negative)),
        }
    }

    /// The positive selector, if there is one.
    pub(crate) fn positive(&self) -> Option<&Arc<Selector>> {
        match self {
            Self::Within(selector) => Some(selector),
            Self::None | Self::Outside(_) => None,
        }
    }
}

/// A selector's objects, and the numbers of their address sets once those are needed.
#[derive(Debug)]
struct Selected {
    selector: Arc<Selector>,
    id: String,
    objects: Vec<usize>,
    members: [usize; 2],
    set: [Option<u32>; 2],
}

/// The unions of objects of both families.
#[derive(Debug, Default)]
pub(crate) struct AllUnions {
    pub(crate) v4: Unions<u32>,
    pub(crate) v6: Unions<u128>,
}

/// Addresses of a family that has unions.
pub(crate) trait Unified: Position {
    /// The unions of this family.
    fn unions(unions: &AllUnions) -> &Unions<Self>;

    /// The unions of this family, to add to them.
    fn unions_mut(unions: &mut AllUnions) -> &mut Unions<Self>;
}

impl Unified for u32 {
    fn unions(unions: &AllUnions) -> &Unions<Self> {
        &unions.v4
    }

    fn unions_mut(unions: &mut AllUnions) -> &mut Unions<Self> {
        &mut unions.v4
    }
}

impl Unified for u128 {
    fn unions(unions: &AllUnions) -> &Unions<Self> {
        &unions.v6
    }

    fn unions_mut(unions: &mut AllUnions) -> &mut Unions<Self> {
        &mut unions.v6
    }
}

/// Every object of the snapshot, and the objects that each selector used so far selects.
#[derive(Debug)]
pub(crate) struct Objects<'s> {
    objects: Vec<Object<'s>>,
    /// By canonical text (SL-039).
    selected: BTreeMap<String, Selected>,
    pub(crate) unions: AllUnions,
    /// Those of the generation before.
    former: Option<&'s AllUnions>,
}

impl<'s> Objects<'s> {
    /// HostEndpoints of all nodes (EV-020), GlobalNetworkSets (SL-049, SL-055), and what is in namespaces
    /// (DS-315); `former` holds the unions of the previous generation.
    pub(crate) fn new(snapshot: &'s Snapshot, former: Option<&'s AllUnions>) -> Self {
        let endpoints = snapshot.endpoints.iter().map(|endpoint| Object {
            name: format!("HostEndpoint/{}", endpoint.metadata.name).into(),
            labels: effective_labels(endpoint, &snapshot.profiles),
            nets: endpoint
                .expected_ips
                .iter()
                .map(|address| IpNetwork::from(*address))
                .collect(),
            endpoint: Some(endpoint),
        });
        let profiles = labels::profiles(snapshot);
        let sets = snapshot.sets.iter().map(|set| Object {
            name: format!("GlobalNetworkSet/{}", set.metadata.name).into(),
            labels: inherited(
                &set.metadata.labels,
                set.profile().as_deref().into_iter(),
                &profiles,
            ),
            nets: set.nets.clone(),
            endpoint: None,
        });
        let workloads = snapshot.workloads.iter().map(|workload| Object {
            name: format!("WorkloadEndpoint/{}", workload.metadata.name).into(),
            labels: inherited(
                &workload.metadata.labels,
                workload.profiles.iter().map(|name| &**name),
                &profiles,
            ),
            nets: workload.nets.clone(),
            endpoint: None,
        });
        Self {
            objects: endpoints.chain(sets).chain(workloads).collect(),
            selected: BTreeMap::new(),
            unions: AllUnions::default(),
            former,
        }
    }

    /// The number of the set of addresses that `selector` selects; at its first use `register` assigns it.
    pub(crate) fn set<T: Unified>(
        &mut self,
        selector: &Arc<Selector>,
        family: IpFamily,
        register: impl FnOnce(&Union<T>) -> u32,
    ) -> u32 {
        let Self {
            objects,
            selected,
            unions,
            former,
        } = self;
        let entry = select(selected, objects, selector);
        if let Some(set) = entry.set[family as usize] {
            return set;
        }
        let selected = entry.objects.iter().map(|object| &objects[*object]);
        let parts = selected
            .map(|object| (Arc::clone(&object.name), T::members(&object.nets).clone()))
            .filter(|(_, members)| !members.is_empty());
        let union =
            T::unions_mut(unions).of(selector.canonical(), parts.collect(), former.map(T::unions));
        entry.members[family as usize] = union.members.len();
        let set = register(&union);
        entry.set[family as usize] = Some(set);
        set
    }

    /// The HostEndpoints that `selector` selects; every one without a selector.
    pub(crate) fn endpoints(&mut self, selector: Option<&Arc<Selector>>) -> Vec<&'s HostEndpoint> {
        let Self {
            objects, selected, ..
        } = self;
        match selector {
            None => objects
                .iter()
                .filter_map(|object| object.endpoint)
                .collect(),
            Some(selector) => select(selected, objects, selector)
                .objects
                .iter()
                .filter_map(|object| objects[*object].endpoint)
                .collect(),
        }
    }

    /// Every selector whose set was needed in a family.
    pub(crate) fn used(&self) -> Vec<(Arc<Selector>, IpFamily)> {
        let families = [IpFamily::V4, IpFamily::V6];
        let used = self.selected.values().flat_map(|selected| {
            let is_used = |family: &IpFamily| selected.set[*family as usize].is_some();
            let families = families.into_iter().filter(is_used);
            families.map(|family| (Arc::clone(&selected.selector), family))
        });
        used.collect()
    }

    /// Checks the number of members of all sets together (`bpfMapSizeIPSets`).
    ///
    /// # Errors
    ///
    /// [`CompileError::TooManySetMembers`].
    pub(crate) fn check_members(&self, limit: u32) -> Result<(), CompileError> {
        let size = |selected: &Selected| selected.members.iter().sum::<usize>();
        let members: usize = self.selected.values().map(size).sum();
        let limit = limit as usize;
        match self
            .selected
            .iter()
            .max_by_key(|(_, selected)| size(selected))
        {
            Some((largest, selected)) if members > limit => Err(CompileError::TooManySetMembers {
                members,
                limit,
                largest: largest.clone(),
                largest_members: size(selected),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Every selector that was used, and its objects.
    pub(crate) fn describe(&self) -> Vec<SetDescription> {
        self.selected
            .iter()
            .map(|(canonical, selected)| SetDescription {
                selector: canonical.clone(),
                id: selected.id.clone(),
                objects: selected
                    .objects
                    .iter()
                    .map(|object| self.objects[*object].name.to_string())
                    .collect(),
                prefixes: selected.members,
            })
            .collect()
    }
}

/// The addresses that each of `selectors` matches in a rule.
#[must_use]
pub fn members(snapshot: &Snapshot, selectors: &[Selector]) -> Vec<BTreeSet<IpNetwork>> {
    let objects = Objects::new(snapshot, None).objects;
    selectors
        .iter()
        .map(|selector| {
            objects
                .iter()
                .filter(|object| selector.matches(&object.labels))
                .flat_map(|object| object.nets.iter().collect::<Vec<_>>())
                .collect()
        })
        .collect()
}

fn select<'m>(
    selected: &'m mut BTreeMap<String, Selected>,
    objects: &[Object<'_>],
    selector: &Arc<Selector>,
) -> &'m mut Selected {
    match selected.entry(selector.canonical().to_owned()) {
        btree_map::Entry::Occupied(entry) => entry.into_mut(),
        btree_map::Entry::Vacant(entry) => entry.insert(Selected {
            selector: Arc::clone(selector),
            id: selector.id(),
            objects: (0..objects.len())
                .filter(|object| selector.matches(&objects[*object].labels))
                .collect(),
            members: [0; 2],
            set: [None; 2],
        }),
    }
}
