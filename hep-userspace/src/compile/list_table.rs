//! The lists of all interfaces: made once per endpoint, equal ones stored once.

use std::collections::BTreeMap;

use hep_common::{
    Direction, Family,
    endpoint::{ListNumber, Lists},
    rule::MAX_RULES_PER_LIST,
};
use rustc_hash::FxHashMap;

use super::{
    CompileError,
    binding::{Binding, Bound},
    description::{ListDescription, ListKind},
    labels::effective_labels,
    list_builder::FlatList,
    lists::{DirectionTiers, Flattener, direction_name},
    order::{Ordered, Phase},
    text,
};
use crate::model::{HostEndpoint, Snapshot};

/// A local endpoint with the policies that it meets.
pub(super) struct LocalEndpoint<'s> {
    /// The endpoint.
    pub(super) endpoint: &'s HostEndpoint,
    /// Its labels, inherited ones included.
    pub(super) labels: BTreeMap<String, String>,
    /// Ingress, egress.
    pub(super) tiers: [DirectionTiers<'s>; 2],
}

/// The local endpoints, in the order of the binding.
pub(super) fn endpoints_of<'s>(
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
                let parts = |phase| ordered.parts(&labels, phase, direction);
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

/// Every distinct list, and which lists each interface has.
pub(super) struct ListTable {
    /// List 1 is the first.
    pub(super) lists: Vec<FlatList>,
    /// In the order of the bound interfaces: by direction, then family.
    pub(super) of_interfaces: Vec<[[Lists; 2]; 2]>,
}

impl ListTable {
    /// Flattens what every bound endpoint meets.
    ///
    /// # Errors
    ///
    /// [`CompileError::ListTooLong`], [`CompileError::TooManyLists`].
    pub(super) fn new<'s>(
        flattener: &mut Flattener<'s>,
        binding: &Binding<'s>,
        endpoints: &[LocalEndpoint<'s>],
    ) -> Result<Self, CompileError> {
        let mut numbers: FxHashMap<FlatList, ListNumber> = FxHashMap::default();
        let mut known: BTreeMap<(&str, bool), [[Lists; 2]; 2]> = BTreeMap::new();
        let mut table = Self {
            lists: Vec::new(),
            of_interfaces: Vec::with_capacity(binding.bound.len()),
        };
        for bound in &binding.bound {
            let key = (&*bound.endpoint.metadata.name, bound.workload);
            let of_interface = match known.get(&key) {
                Some(known) => *known,
                None => {
                    let local = endpoints
                        .iter()
                        .find(|local| std::ptr::eq(local.endpoint, bound.endpoint))
                        .expect("every bound endpoint is local");
                    table.lists_of(&mut numbers, flattener, local, bound)?
                }
            };
            known.insert(key, of_interface);
            table.of_interfaces.push(of_interface);
        }
        Ok(table)
    }

    /// The lists of one interface, by direction, then family.
    fn lists_of<'s>(
        &mut self,
        numbers: &mut FxHashMap<FlatList, ListNumber>,
        flattener: &mut Flattener<'s>,
        local: &LocalEndpoint<'s>,
        bound: &Bound<'_>,
    ) -> Result<[[Lists; 2]; 2], CompileError> {
        let mut of_interface = [[Lists::default(); 2]; 2];
        for direction in [Direction::Ingress, Direction::Egress] {
            for family in [Family::V4, Family::V6] {
                let [untracked, local, forward, exempt] =
                    flatten(flattener, local, bound.workload, direction, family);
                let mut number = |list: Option<FlatList>| {
                    list.map_or(Ok(0), |list| self.number(numbers, list, bound))
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
    fn number(
        &mut self,
        numbers: &mut FxHashMap<FlatList, ListNumber>,
        list: FlatList,
        bound: &Bound<'_>,
    ) -> Result<ListNumber, CompileError> {
        if let Some(&known) = numbers.get(&list) {
            return Ok(known);
        }
        let limit = MAX_RULES_PER_LIST as usize;
        if list.rules.len() > limit {
            return Err(CompileError::ListTooLong {
                endpoint: bound.endpoint.metadata.name.to_string(),
                list: format!(
                    "{} {} IPv{} list",
                    kind_name(list.kind),
                    direction_name(list.direction),
                    text::family_number(list.family)
                ),
                rules: list.rules.len(),
                limit,
            });
        }
        self.lists.push(list.clone());
        let number = last_number(self.lists.len())?;
        numbers.insert(list, number);
        Ok(number)
    }

    /// The lists in words; list 0 is a placeholder.
    pub(super) fn describe(&self, binding: &Binding<'_>, slot_of: &[u32]) -> Vec<ListDescription> {
        let mut descriptions: Vec<ListDescription> = std::iter::once(ListDescription::default())
            .chain(self.lists.iter().map(|list| {
                ListDescription {
                    kind: list.kind,
                    direction: direction_name(list.direction).to_owned(),
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
        Some(flattener.forward(tiers, direction, family)),
        exempt,
    ]
}

/// The number of the last of so many lists.
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
