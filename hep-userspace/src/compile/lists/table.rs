//! The lists of all interfaces: made once per endpoint, equal ones stored once.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use hep_common::{
    Direction, Family,
    endpoint::{ListNumber, Lists},
    rule::MAX_RULES_PER_LIST,
};
use rustc_hash::FxHashMap;

use super::{
    builder::FlatList,
    flatten::Flattener,
    order::{DirectionTiers, Ordered, Phase},
};
use crate::{
    compile::{
        CompileError,
        description::{
            shape::{ListDescription, ListKind},
            text,
        },
        interfaces::binding::Binding,
        sets::labels::effective_labels,
    },
    model::{HostEndpoint, Snapshot},
};

/// A local endpoint with the policies that it meets.
pub(crate) struct LocalEndpoint<'s> {
    /// The endpoint.
    pub(crate) endpoint: &'s HostEndpoint,
    /// Its labels, inherited ones included.
    pub(crate) labels: BTreeMap<String, String>,
    /// Ingress, egress.
    pub(crate) tiers: [DirectionTiers<'s>; 2],
}

/// The local endpoints, in the order of the binding.
pub(crate) fn endpoints_of<'s>(
    snapshot: &'s Snapshot,
    binding: &Binding<'s>,
) -> Vec<LocalEndpoint<'s>> {
    let ordered = Ordered::new(snapshot);
    binding
        .local
        .iter()
        .map(|endpoint| {
            let labels = effective_labels(endpoint, &snapshot.profiles);
            let tiers = [Direction::Ingress, Direction::Egress].map(|direction| {
                let parts = |phase| match endpoint.closed {
                    true => Vec::new(), // DS-312
                    false => ordered.parts(&labels, phase, direction),
                };
                DirectionTiers {
                    untracked: parts(Phase::Untracked),
                    pre_dnat: match direction {
                        Direction::Ingress => parts(Phase::PreDnat),
                        Direction::Egress => Vec::new(), // EV-086
                    },
                    normal: parts(Phase::Normal),
                    forward: parts(Phase::Forward),
                }
            });
            LocalEndpoint {
                endpoint,
                labels,
                tiers,
            }
        })
        .collect()
}

/// The owner of an interface: its place among the local endpoints, and whether the interface is a workload's.
pub(crate) type Owner = (usize, bool);

/// The owners of the bound interfaces, in their order.
pub(crate) fn owners(binding: &Binding<'_>, endpoints: &[LocalEndpoint<'_>]) -> Vec<Owner> {
    let bound = binding.bound.iter().map(|bound| {
        let mut local = endpoints.iter();
        let place = local.position(|local| std::ptr::eq(local.endpoint, bound.endpoint));
        (
            place.expect("every bound endpoint is local"),
            bound.workload,
        )
    });
    bound.collect()
}

/// Every distinct list, and which lists each interface has.
#[derive(Clone, Debug)]
pub(crate) struct ListTable {
    /// List 1 is the first.
    pub(crate) lists: Vec<Arc<FlatList>>,
    /// In the order of the bound interfaces: by direction, then family.
    pub(crate) of_interfaces: Vec<[[Lists; 2]; 2]>,
    /// Lists of an endpoint's interfaces, by its place among the local ones, and whether they are
    /// workloads': also of endpoints that own no interface yet.
    pub(crate) of_endpoints: BTreeMap<Owner, [[Lists; 2]; 2]>,
}

impl ListTable {
    /// Flattens the lists of every local endpoint, so that the rules are there when an interface of it
    /// appears; `guards_workloads`: whether those may be workloads'.
    ///
    /// # Errors
    ///
    /// [`CompileError::ListTooLong`], [`CompileError::TooManyLists`].
    pub(crate) fn new<'s>(
        flattener: &mut Flattener<'s>,
        binding: &Binding<'s>,
        endpoints: &[LocalEndpoint<'s>],
        bound: &[Owner],
        guards_workloads: bool,
    ) -> Result<Self, CompileError> {
        let mut numbers: FxHashMap<Arc<FlatList>, ListNumber> = FxHashMap::default();
        let mut table = Self {
            lists: Vec::new(),
            of_interfaces: Vec::with_capacity(bound.len()),
            of_endpoints: BTreeMap::new(),
        };
        let guard = binding.wildcard().filter(|_place| guards_workloads);
        let guard = guard.map(|place| (place, true));
        let to_come = (0..endpoints.len()).map(|place| (place, false));
        for key in bound.iter().copied().chain(to_come).chain(guard) {
            if let Entry::Vacant(vacant) = table.of_endpoints.entry(key) {
                let (place, is_workload) = key;
                vacant.insert(lists_of(
                    &mut table.lists,
                    &mut numbers,
                    flattener,
                    &endpoints[place],
                    is_workload,
                )?);
            }
        }
        let of_interfaces = bound.iter().map(|key| table.of_endpoints[key]);
        table.of_interfaces.extend(of_interfaces);
        Ok(table)
    }

    /// Whether any interface has untracked rules, or may have when it appears.
    pub(crate) fn has_untracked(&self) -> bool {
        let mut lists = self.of_endpoints.values().flatten().flatten();
        lists.any(|lists| lists.untracked != 0)
    }

    /// The lists in words; list 0 is a placeholder.
    pub(crate) fn describe(&self, binding: &Binding<'_>, slot_of: &[u32]) -> Vec<ListDescription> {
        let mut descriptions: Vec<ListDescription> = std::iter::once(ListDescription::default())
            .chain(self.lists.iter().map(|list| {
                ListDescription {
                    kind: list.kind,
                    direction: list.direction.name().to_owned(),
                    family: text::family_number(list.family),
                    interfaces: Vec::new(),
                    rules: list
                        .rules
                        .iter()
                        .map(|rule| slot_of[rule.rule as usize])
                        .collect(),
                }
            }))
            .collect();
        for (bound, of_interface) in binding.bound.iter().zip(&self.of_interfaces) {
            for lists in of_interface.iter().flatten() {
                for number in [lists.untracked, lists.local, lists.forward, lists.exempt] {
                    if number != 0 {
                        let interfaces = &mut descriptions[number as usize].interfaces;
                        interfaces.push(bound.interface.name.to_string());
                    }
                }
            }
        }
        descriptions
    }
}

/// The lists of an endpoint's interfaces, by direction, then family.
fn lists_of<'s>(
    lists: &mut Vec<Arc<FlatList>>,
    numbers: &mut FxHashMap<Arc<FlatList>, ListNumber>,
    flattener: &mut Flattener<'s>,
    local: &LocalEndpoint<'s>,
    is_workload: bool,
) -> Result<[[Lists; 2]; 2], CompileError> {
    let endpoint = local.endpoint;
    let mut of_interface = [[Lists::default(); 2]; 2];
    for direction in [Direction::Ingress, Direction::Egress] {
        for family in [Family::V4, Family::V6] {
            let [untracked, local, forward, exempt] =
                flatten(flattener, local, is_workload, direction, family);
            let mut number = |list: Option<FlatList>| {
                list.map_or(Ok(0), |list| number_of(lists, numbers, list, endpoint))
            };
            of_interface[direction as usize][family as usize] = Lists {
                untracked: number(untracked)?,
                local: number(local)?,
                forward: number(forward)?,
                exempt: number(exempt)?,
            };
        }
    }
    Ok(of_interface)
}

/// The number of a list; equal lists are one.
fn number_of(
    lists: &mut Vec<Arc<FlatList>>,
    numbers: &mut FxHashMap<Arc<FlatList>, ListNumber>,
    list: FlatList,
    endpoint: &HostEndpoint,
) -> Result<ListNumber, CompileError> {
    if let Some(&known) = numbers.get(&list) {
        return Ok(known);
    }
    let limit = MAX_RULES_PER_LIST as usize;
    if list.rules.len() > limit {
        return Err(CompileError::ListTooLong {
            endpoint: endpoint.metadata.name.to_string(),
            list: format!(
                "{} {} IPv{} list",
                kind_name(list.kind),
                list.direction.name(),
                text::family_number(list.family)
            ),
            rules: list.rules.len(),
            limit,
        });
    }
    let list = Arc::new(list);
    lists.push(Arc::clone(&list));
    let number = last_number(lists.len())?;
    numbers.insert(list, number);
    Ok(number)
}

const fn kind_name(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Untracked => "untracked",
        ListKind::Local => "local",
        ListKind::Forward => "forward",
        ListKind::Exempt => "exempt",
    }
}

/// Untracked, local, forward and exempt list of one endpoint in one direction and family.
fn flatten<'s>(
    flattener: &mut Flattener<'s>,
    local: &LocalEndpoint<'s>,
    workload: bool,
    direction: Direction,
    family: Family,
) -> [Option<FlatList>; 4] {
    let tiers = &local.tiers[direction as usize];
    if workload {
        let mut list = |kind| flattener.workload(&tiers.pre_dnat, kind, direction, family);
        return [
            None,
            Some(list(ListKind::Local)),
            Some(list(ListKind::Forward)),
            None,
        ];
    }
    let untracked = flattener.untracked(&tiers.untracked, direction, family);
    let exempt = untracked
        .as_ref()
        .and_then(|_list| flattener.exempt(direction, family));
    [
        untracked,
        Some(flattener.local(local.endpoint, tiers, direction, family)),
        Some(flattener.forward(local.endpoint, tiers, direction, family)),
        exempt,
    ]
}

/// The number of the last of `lists` lists.
fn last_number(lists: usize) -> Result<ListNumber, CompileError> {
    ListNumber::try_from(lists).map_err(|_overflow| CompileError::TooManyLists {
        lists,
        limit: ListNumber::MAX.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_may_be_so_many_lists() {
        assert_eq!(last_number(65_535), Ok(65_535));
        let error = last_number(65_536).expect_err("past the limit");
        assert_eq!(
            error.to_string(),
            "the interfaces would need 65536 different lists of rules; the limit is 65535"
        );
    }
}
