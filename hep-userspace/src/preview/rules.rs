//! Which rules packets will meet, against those that they meet now.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use similar::{Algorithm, ChangeTag, DiffOp, capture_diff_slices, group_diff_ops};

use crate::{
    compile::{self, Description, ListDescription, ListKind, RuleDescription},
    model::Snapshot,
    selector::Selector,
};

/// Rules shown around those that differ.
const CONTEXT: usize = 3;

/// An interface that has another owner afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceChange {
    /// Name.
    pub name: String,
    /// The HostEndpoint that owns it now; none: it is not policed.
    pub before: Option<String>,
    /// The HostEndpoint that will own it.
    pub after: Option<String>,
}

/// Interfaces that come under another HostEndpoint, or get or lose one.
#[must_use]
pub fn interfaces(before: &Description, after: &Description) -> Vec<InterfaceChange> {
    let owners = |description: &Description| -> BTreeMap<String, String> {
        let owner = |interface: &compile::InterfaceDescription| {
            (interface.name.clone(), interface.endpoint.clone())
        };
        description.interfaces.iter().map(owner).collect()
    };
    let (before, after) = (owners(before), owners(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| InterfaceChange {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

/// Kind of change of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LineChange {
    /// It stays, and shows where the others stand.
    Same,
    /// It goes.
    Removed,
    /// It comes.
    Added,
}

/// A rule in a [`Hunk`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Kind of change.
    pub change: LineChange,
    /// The rule, with its place in the files afterwards, or before if it goes.
    #[serde(flatten)]
    pub rule: RuleDescription,
}

/// Rules that differ, among their neighbours.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hunk {
    /// Number of the first rule now, from 1, and how many are shown.
    pub before: (usize, usize),
    /// Number of the first rule afterwards, and how many are shown.
    pub after: (usize, usize),
    /// The rules, in order.
    pub lines: Vec<Line>,
}

/// A list of rules that differs, for all interfaces and families where it does so alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListChange {
    /// Which packets it judges.
    pub kind: ListKind,
    /// `ingress` or `egress`.
    pub direction: String,
    /// IP versions.
    pub families: Vec<u8>,
    /// Names of interfaces.
    pub interfaces: Vec<String>,
    /// Differences, in order.
    pub hunks: Vec<Hunk>,
}

/// Interface, direction, kind and family of a list.
type Place<'d> = (&'d str, &'d str, ListKind, u8);

/// Compares the rules that packets meet at each interface.
#[must_use]
pub fn lists(before: &Description, after: &Description) -> Vec<ListChange> {
    let (old_rules, new_rules) = (by_slot(before), by_slot(after));
    let (old_lists, new_lists) = (by_place(before), by_place(after));
    let places: BTreeSet<Place<'_>> = old_lists.keys().chain(new_lists.keys()).copied().collect();
    let mut compared: BTreeMap<(Vec<u32>, Vec<u32>), Vec<Hunk>> = BTreeMap::new();
    let mut changes: Vec<ListChange> = Vec::new();
    for place in places {
        let (interface, direction, kind, family) = place;
        let slots = |lists: &BTreeMap<Place<'_>, &ListDescription>| {
            lists.get(&place).map(|list| list.rules.clone())
        };
        let old = slots(&old_lists).unwrap_or_default();
        let new = slots(&new_lists).unwrap_or_default();
        let hunks = compared.entry((old, new)).or_insert_with_key(|(old, new)| {
            hunks(&rules(old, &old_rules), &rules(new, &new_rules))
        });
        if hunks.is_empty() {
            continue;
        }
        let alike = |change: &&mut ListChange| {
            change.kind == kind && change.direction == direction && change.hunks == *hunks
        };
        match changes.iter_mut().find(alike) {
            Some(change) => {
                change.families.push(family);
                change.interfaces.push(interface.to_owned());
            }
            None => changes.push(ListChange {
                kind,
                direction: direction.to_owned(),
                families: vec![family],
                interfaces: vec![interface.to_owned()],
                hunks: hunks.clone(),
            }),
        }
    }
    changes.into_iter().flat_map(rectangles).collect()
}

/// Until here an interface stands beside each of its families; those with the same ones go together.
fn rectangles(change: ListChange) -> Vec<ListChange> {
    let mut families: BTreeMap<String, BTreeSet<u8>> = BTreeMap::new();
    for (interface, family) in change.interfaces.iter().zip(&change.families) {
        families
            .entry(interface.clone())
            .or_default()
            .insert(*family);
    }
    let mut interfaces: BTreeMap<BTreeSet<u8>, Vec<String>> = BTreeMap::new();
    for (interface, families) in families {
        interfaces.entry(families).or_default().push(interface);
    }
    interfaces
        .into_iter()
        .map(|(families, interfaces)| ListChange {
            families: families.into_iter().collect(),
            interfaces,
            ..change.clone()
        })
        .collect()
}

fn by_slot(description: &Description) -> BTreeMap<u32, &RuleDescription> {
    let rules = &description.rules;
    rules.iter().map(|rule| (rule.slot, &**rule)).collect()
}

fn by_place(description: &Description) -> BTreeMap<Place<'_>, &ListDescription> {
    let mut found = BTreeMap::new();
    for list in &description.lists {
        for interface in &list.interfaces {
            let place = (
                interface.as_str(),
                list.direction.as_str(),
                list.kind,
                list.family,
            );
            found.insert(place, list);
        }
    }
    found
}

fn rules<'d>(
    slots: &[u32],
    by_slot: &BTreeMap<u32, &'d RuleDescription>,
) -> Vec<&'d RuleDescription> {
    slots
        .iter()
        .filter_map(|slot| by_slot.get(slot).copied())
        .collect()
}

/// The parts by which rules of two generations are matched: content and owner, not number or line.
fn identity(rule: &RuleDescription) -> [&str; 8] {
    let name = rule.rule.split('[').next().unwrap_or_default();
    [
        &rule.stage,
        &rule.tier,
        &rule.policy,
        name,
        &rule.action,
        if rule.staged { "staged" } else { "" },
        &rule.matches,
        &rule.log_prefix,
    ]
}

fn hunks(before: &[&RuleDescription], after: &[&RuleDescription]) -> Vec<Hunk> {
    let identities = |rules: &[&RuleDescription]| -> Vec<[String; 8]> {
        let owned = |rule: &&RuleDescription| identity(rule).map(str::to_owned);
        rules.iter().map(owned).collect()
    };
    let (old, new) = (identities(before), identities(after));
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    group_diff_ops(operations, CONTEXT)
        .iter()
        .map(|group| hunk(group, before, after))
        .filter(|hunk| {
            hunk.lines
                .iter()
                .any(|line| line.change != LineChange::Same)
        })
        .collect()
}

fn hunk(group: &[DiffOp], before: &[&RuleDescription], after: &[&RuleDescription]) -> Hunk {
    let range = |ranges: Vec<std::ops::Range<usize>>| {
        let start = ranges.first().map_or(0, |range| range.start);
        let end = ranges.last().map_or(0, |range| range.end);
        let length = end - start;
        // As in a unified diff: nothing stands behind the line before it.
        (start + usize::from(length > 0), length)
    };
    let changes = group
        .iter()
        .flat_map(|operation| operation.iter_changes(before, after));
    Hunk {
        before: range(group.iter().map(DiffOp::old_range).collect()),
        after: range(group.iter().map(DiffOp::new_range).collect()),
        lines: changes
            .map(|change| {
                let (mark, rule) = match change.tag() {
                    ChangeTag::Equal => (LineChange::Same, change.new_index().map(|at| after[at])),
                    ChangeTag::Delete => (LineChange::Removed, None),
                    ChangeTag::Insert => (LineChange::Added, None),
                };
                Line {
                    change: mark,
                    rule: rule.unwrap_or(change.value()).clone(),
                }
            })
            .collect(),
    }
}

/// A selector of rules that stands for other addresses afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetChange {
    /// Canonical text of the selector.
    pub selector: String,
    /// Addresses that leave it.
    pub removed: Vec<String>,
    /// Addresses that join it.
    pub added: Vec<String>,
}

/// Compares what the selectors that rules keep stand for.
#[must_use]
pub fn sets(before: (&Description, &Snapshot), after: (&Description, &Snapshot)) -> Vec<SetChange> {
    let texts = |description: &Description| -> BTreeSet<String> {
        let sets = &description.sets;
        sets.iter().map(|set| set.selector.clone()).collect()
    };
    let selectors: Vec<Selector> = texts(before.0)
        .intersection(&texts(after.0))
        .filter_map(|text| Selector::parse(text).ok())
        .collect();
    let old = compile::members(before.1, &selectors);
    let new = compile::members(after.1, &selectors);
    selectors
        .iter()
        .zip(old.iter().zip(&new))
        .filter(|(_, (old, new))| old != new)
        .map(|(selector, (old, new))| SetChange {
            selector: selector.canonical().to_owned(),
            removed: old.difference(new).map(ToString::to_string).collect(),
            added: new.difference(old).map(ToString::to_string).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(slot: u32, policy: &str, name: &str, matches: &str) -> RuleDescription {
        RuleDescription {
            slot,
            policy: policy.to_owned(),
            rule: name.to_owned(),
            action: "Allow".to_owned(),
            matches: matches.to_owned(),
            ..RuleDescription::default()
        }
    }

    fn description(rules: Vec<RuleDescription>, lists: &[(u8, &[&str], &[u32])]) -> Description {
        let list = |(family, interfaces, rules): &(u8, &[&str], &[u32])| ListDescription {
            kind: ListKind::Local,
            direction: "ingress".to_owned(),
            family: *family,
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
            rules: rules.to_vec(),
        };
        Description {
            rules: std::sync::Arc::new(rules.into_iter().map(std::sync::Arc::new).collect()),
            lists: lists.iter().map(list).collect(),
            ..Description::default()
        }
    }

    #[test]
    fn a_list_is_told_once_for_all_that_it_holds_for() {
        let before = description(
            vec![
                rule(1, "a", "ingress[0]", "TCP"),
                rule(2, "", "no profile", "everything"),
            ],
            &[
                (4, &["eth0", "eth1"], &[1, 2]),
                (6, &["eth0"], &[1, 2]),
                (6, &["eth1"], &[2]),
            ],
        );
        let after = description(
            vec![
                rule(7, "a", "ingress[0]", "UDP"),
                rule(8, "a", "ingress[1]", "TCP"),
                rule(9, "", "no profile", "everything"),
            ],
            &[
                (4, &["eth0", "eth1"], &[7, 8, 9]),
                (6, &["eth0"], &[7, 8, 9]),
                (6, &["eth1"], &[9]),
            ],
        );
        let changes = lists(&before, &after);
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.interfaces.join(","), change.families.clone()))
            .collect();
        assert_eq!(
            told,
            [("eth1".into(), vec![4]), ("eth0".into(), vec![4, 6])]
        );
        let [hunk] = &*changes[0].hunks else {
            panic!("one hunk");
        };
        assert_eq!((hunk.before, hunk.after), ((1, 2), (1, 3)));
        let lines: Vec<_> = hunk
            .lines
            .iter()
            .map(|line| (line.change, line.rule.slot))
            .collect();
        assert_eq!(
            lines,
            [
                (LineChange::Added, 7),
                (LineChange::Same, 8),
                (LineChange::Same, 9)
            ]
        );
    }

    #[test]
    fn numbers_and_lines_make_no_difference() {
        let before = description(
            vec![rule(1, "a", "ingress[0]", "TCP")],
            &[(4, &["eth0"], &[1])],
        );
        let mut moved = rule(5, "a", "ingress[3]", "TCP");
        moved.line = 9;
        let after = description(vec![moved], &[(4, &["eth0"], &[5])]);
        assert_eq!(lists(&before, &after), []);
        let gone = lists(&before, &Description::default());
        assert_eq!(
            (gone[0].hunks[0].before, gone[0].hunks[0].after),
            ((1, 1), (0, 0))
        );
    }
}
