//! Files that change, from the text to the tables: state that a loader and a compiler keep of earlier texts
//! never shows in the result.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use hep_common::{
    Direction,
    rule::{Dimension, List},
};
use proptest::prelude::*;

use super::{
    files::{Change, Model, document, some_change},
    fixture::{ETH0, ETH1, icmp6, interfaces, options, portless, tcp, udp},
    walker::{self, Packet},
};
use crate::{
    compile::{Generation, ListKind, RuleDescription, RuleTables, Slots, compile, compile_after},
    model::Snapshot,
    source::Unit,
    validate::{Loader, Node, Scope},
};

/// Every packet that is judged, with where: interface, direction, forwarded.
fn packets() -> Vec<(u32, Direction, bool, Packet)> {
    let mut packets = Vec::new();
    for (source, destination) in [
        ("10.0.0.5", "192.0.2.10"),
        ("10.0.0.1", "192.0.2.10"),
        ("192.0.2.7", "192.0.2.10"),
        ("198.51.100.1", "192.0.2.10"),
        ("192.0.2.10", "10.0.0.5"),
        ("2001:db8::5", "2001:db8::10"),
        ("2001:db8:1::9", "2001:db8::10"),
        ("2001:db9::1", "2001:db8::10"),
        ("2001:db8::10", "2001:db8::5"),
    ] {
        for port in [22, 80, 81, 443, 8005] {
            packets.push(tcp(source, destination, port));
        }
        packets.push(udp(source, destination, (53, 53)));
        packets.push(udp(source, destination, (9, 54)));
        packets.push(portless(source, destination, 47));
        if source.contains(':') {
            packets.push(icmp6(source, destination, 128));
        }
    }
    let places = [
        (ETH0, Direction::Ingress, false),
        (ETH0, Direction::Egress, false),
        (ETH0, Direction::Ingress, true),
        (ETH1, Direction::Ingress, false),
    ];
    let all = places
        .into_iter()
        .flat_map(|(ifindex, direction, is_forwarded)| {
            let packets = packets.iter().cloned();
            packets.map(move |packet| (ifindex, direction, is_forwarded, packet))
        });
    all.collect()
}

/// A rule without its number.
fn unnumbered(generation: &Generation, slot: u32) -> RuleDescription {
    RuleDescription {
        slot: 0,
        ..walker::rule(generation, slot).clone()
    }
}

/// A list in words: which packets it judges, and its rules.
type Listed = (ListKind, String, u8, Vec<String>, Vec<RuleDescription>);

/// All of a description but its numbers.
fn described(generation: &Generation) -> (Vec<Listed>, usize) {
    let description = &generation.description;
    let lists = description.lists.iter().map(|list| {
        let rules = list.rules.iter();
        (
            list.kind,
            list.direction.clone(),
            list.family,
            list.interfaces.clone(),
            rules.map(|slot| unnumbered(generation, *slot)).collect(),
        )
    });
    (lists.collect(), description.rules.len())
}

fn judged(generation: &Generation) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let outcomes = packets()
        .into_iter()
        .map(|(ifindex, direction, is_forwarded, packet)| {
            let outcome = walker::judge(generation, ifindex, direction, is_forwarded, &packet);
            let named = |slots: &[u32]| -> Vec<RuleDescription> {
                slots
                    .iter()
                    .map(|slot| unnumbered(generation, *slot))
                    .collect()
            };
            let decided = (outcome.slot != 0).then(|| unnumbered(generation, outcome.slot));
            (
                outcome.reason,
                decided,
                outcome.is_untracked,
                named(&outcome.logged),
                named(&outcome.staged),
            )
        });
    outcomes.collect()
}

fn node() -> Node {
    Node {
        name: "h1".into(),
        labels: BTreeMap::new(),
        cpus: 1,
    }
}

fn load(loader: &mut Loader, texts: &BTreeMap<String, String>) -> Snapshot {
    let files: Vec<Unit> = texts
        .iter()
        .map(|(name, text)| Unit::file(Path::new(name), text.clone()))
        .collect();
    let loaded = loader.load(&files, &node(), Scope::Directory);
    let problems = loaded.problems;
    loaded
        .snapshot
        .unwrap_or_else(|| panic!("{problems:?}\n{texts:?}"))
}

fn fresh(texts: &BTreeMap<String, String>) -> Generation {
    let snapshot = load(&mut Loader::default(), texts);
    compile(
        &snapshot,
        "h1",
        &interfaces(),
        &options(),
        &Slots::default(),
    )
    .expect("within limits")
}

fn after(snapshot: &Snapshot, former: &Generation) -> Generation {
    compile_after(snapshot, "h1", &interfaces(), &options(), former).expect("within limits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// RS-006, EV-190.
    #[test]
    fn a_change_comes_to_what_a_start_with_the_changed_files_comes_to(
        steps in proptest::collection::vec(proptest::collection::vec(some_change(), 1..4), 2..12),
        is_long in any::<bool>(),
    ) {
        let mut model = Model::with_fillers(if is_long { 70 } else { 0 });
        let mut loader = Loader::default();
        load(&mut loader, &model.texts());
        let mut generation = fresh(&model.texts());
        for changes in steps {
            for change in &changes {
                model.change(change);
            }
            let texts = model.texts();
            let next = after(&load(&mut loader, &texts), &generation);
            let fresh = fresh(&texts);
            prop_assert_eq!(described(&next), described(&fresh), "{:?}", changes);
            prop_assert_eq!(judged(&next), judged(&fresh), "{:?}", changes);
            prop_assert_eq!(next.tables.settings, fresh.tables.settings);
            generation = next;
        }
    }
}

/// The compiled rule of a file may depend on other files, too.
#[test]
fn another_log_prefix_reaches_the_rules_of_files_that_did_not_change() {
    let mut model = Model::default();
    model.change(&Change::Rule(0, 0, 3));
    let mut loader = Loader::default();
    load(&mut loader, &model.texts());
    let mut generation = fresh(&model.texts());
    for prefix in [1, 2, 0] {
        model.change(&Change::LogPrefix(prefix));
        let texts = model.texts();
        let next = after(&load(&mut loader, &texts), &generation);
        assert_eq!(described(&next), described(&fresh(&texts)));
        assert_ne!(described(&next), described(&generation));
        generation = next;
    }
}

/// Of a thousand rules in a hundred files one changes: no other is worked out again.
#[test]
fn rules_of_files_that_did_not_change_are_not_worked_out_again() {
    let policy = |number: usize, port: usize| {
        let rules: Vec<String> = (0..10)
            .map(|rule| {
                let port = if rule == 3 { port } else { 100 * rule + number };
                format!(
                    "{{action: Allow, protocol: TCP, destination: {{ports: [{}]}}}}",
                    port + 1
                )
            })
            .collect();
        let spec = format!("order: {number}, ingress: [{}]", rules.join(", "));
        document("GlobalNetworkPolicy", &format!("p{number}"), &spec)
    };
    let mut texts = Model::default().texts();
    for number in 0..100 {
        texts.insert(format!("p{number}.yaml"), policy(number, 7000));
    }
    let mut loader = Loader::default();
    let first = load(&mut loader, &texts);
    let generation = compile(&first, "h1", &interfaces(), &options(), &Slots::default());
    let generation = generation.expect("within limits");
    texts.insert("p50.yaml".to_owned(), policy(50, 7001));
    let next = after(&load(&mut loader, &texts), &generation);

    let before = &generation.description.rules;
    let is_other = |rule: &&Arc<RuleDescription>| {
        rule.policy.starts_with("GlobalNetworkPolicy/")
            && !before.iter().any(|known| Arc::ptr_eq(known, rule))
    };
    let worked_out: Vec<_> = next.description.rules.iter().filter(is_other).collect();
    assert_eq!(worked_out.len(), 1, "the one that changed: {worked_out:?}");
    assert!(worked_out.iter().all(|rule| rule.policy.ends_with("/p50")));

    let (one, other) = (&generation.tables, &next.tables);
    assert!(other.lineage.continues_rows(&one.lineage));
    assert!(!one.lineage.continues_rows(&other.lineage), "a row is new");
    // The new port is a class of its own, so that lists move in the index. Of the classes that were there
    // before, only that of the former port has another row.
    let services = Dimension::Service as usize;
    let classes = generation.description.classes[2];
    assert_eq!(next.description.classes[2], classes + 1);
    let entries = |tables: &RuleTables, list: &List| {
        let first = list.rows[services] as usize;
        let entries = classes * list.chunks as usize;
        tables.index[first..first + entries].to_vec()
    };
    let mut compared = 0;
    for (before, after) in one.lists.iter().zip(&other.lists) {
        if after.dimensions & Dimension::Service.bit() != 0 && !after.is_short() {
            let pairs = entries(one, before).into_iter().zip(entries(other, after));
            let differing = pairs.filter(|(before, after)| before != after).count();
            assert!(differing <= 1, "{differing} entries differ");
            compared += 1;
        }
    }
    assert!(compared > 0, "no list has rows of services");
}
