//! Changes of many units: a loader that is given only these finds what a first load finds.

use std::sync::Arc;

use proptest::{prelude::*, sample::select};

use super::*;
use crate::{
    model::{ObjectKey, Origin},
    validate::{Changes, Loader},
};

/// A change of one of a few units.
#[derive(Clone, Debug)]
enum Change {
    /// It holds these documents.
    Write(usize, Vec<usize>),
    /// It is gone.
    Remove(usize),
    /// It is read again, with the same content.
    Touch(usize),
}

/// The document with many errors.
const MANY: usize = 17;

/// Documents, right and wrong, that know each other by name.
fn documents() -> Vec<String> {
    let errors: Vec<String> = (0..300).map(|n| format!("wrong{n}: 1")).collect();
    vec![
        document("Tier", "t", "order: 5"),
        document("Tier", "u", "order: 7, defaultAction: Pass"),
        document("Tier", "default", "defaultAction: Deny"),
        document(
            "GlobalNetworkPolicy",
            "p",
            "tier: t, ingress: [{action: Allow}]",
        ),
        document("GlobalNetworkPolicy", "p", "tier: u"),
        document("GlobalNetworkPolicy", "q", "tier: missing"),
        document("StagedGlobalNetworkPolicy", "p", "tier: t"),
        document(
            "GlobalNetworkPolicy",
            "remote",
            "selector: a == 'b', ingress: [{action: Allow, \
                  http: {methods: [GET]}}]",
        ),
        document("Profile", "f", "labelsToApply: {a: b}"),
        document(
            "HostEndpoint",
            "e",
            "node: node1, interfaceName: eth0, profiles: [f]",
        ),
        document("HostEndpoint", "e2", "node: node1, interfaceName: eth1"),
        document("GlobalNetworkSet", "s", "nets: [192.0.2.1, 192.0.2.1]"),
        document("NetworkSet", "s", "nets: [192.0.2.2]"),
        document(
            "FelixConfiguration",
            "default",
            "failsafeInboundHostPorts: []",
        ),
        document(
            "FelixConfiguration",
            "node.node1",
            "prometheusMetricsEnabled: true",
        ),
        document("IPPool", "pool", "cidr: 10.0.0.0/8"),
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n".to_owned(),
        document("Tier", "many", &errors.join(", ")),
        "---\n[\n".to_owned(),
    ]
}

fn some_change() -> impl Strategy<Value = Change> {
    let valid = select((0..MANY - 1).collect::<Vec<_>>());
    let any = 0..documents().len();
    let unit = 0..6_usize;
    prop_oneof![
        5 => (unit.clone(), proptest::collection::vec(valid, 0..3))
            .prop_map(|(unit, documents)| Change::Write(unit, documents)),
        2 => (unit.clone(), proptest::collection::vec(any, 1..3))
            .prop_map(|(unit, documents)| Change::Write(unit, documents)),
        // More problems than a list holds.
        1 => unit.clone().prop_map(|unit| Change::Write(unit, vec![MANY])),
        2 => unit.clone().prop_map(Change::Remove),
        1 => unit.prop_map(Change::Touch),
    ]
}

/// Files, and objects of a store, of which each version has a revision.
fn unit(number: usize, revision: usize, text: &str) -> Unit {
    if number.is_multiple_of(2) {
        return file(&format!("{number}.yaml"), text);
    }
    let key = ObjectKey {
        store: Arc::from("etcd"),
        key: Arc::from(format!("/calico/{number}")),
    };
    Unit {
        origin: Origin::Object {
            key: Arc::new(key),
            revision: Arc::from(revision.to_string()),
        },
        text: text.to_owned().into(),
    }
}

/// Everything that a load finds, as text.
fn found(loaded: &Loaded) -> String {
    let problems: Vec<_> = loaded.problems.iter().map(Problem::to_string).collect();
    format!("{:#?}\n{}", loaded.snapshot, problems.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// RS-006, RS-007.
    #[test]
    fn changes_of_units_are_loaded_like_the_whole(
        changes in proptest::collection::vec(proptest::collection::vec(some_change(), 1..4), 1..12),
    ) {
        let pool = documents();
        let mut units: BTreeMap<Origin, Unit> = BTreeMap::new();
        let (mut whole, mut step) = (Loader::default(), Loader::default());
        for (revision, changes) in changes.iter().enumerate() {
            let mut told = Changes::default();
            for change in changes {
                let (number, text) = match change {
                    Change::Write(number, documents) => {
                        let texts = documents.iter().map(|document| pool[*document].as_str());
                        (*number, Some(texts.collect::<String>()))
                    }
                    Change::Remove(number) => (*number, None),
                    Change::Touch(number) => {
                        let origin = unit(*number, 0, "").origin.unversioned();
                        let text = units.get(&origin).map(|unit| unit.text.to_vec());
                        (*number, text.and_then(|text| String::from_utf8(text).ok()))
                    }
                };
                let changed = unit(number, revision, text.as_deref().unwrap_or_default());
                let origin = changed.origin.unversioned();
                told.changed.retain(|unit| unit.origin.unversioned() != origin);
                told.removed.retain(|removed| *removed != origin);
                if text.is_some() {
                    told.changed.push(changed.clone());
                    units.insert(origin, changed);
                } else {
                    told.removed.push(origin.clone());
                    units.remove(&origin);
                }
            }
            let units: Vec<Unit> = units.values().cloned().collect();
            for scope in [Scope::Directory, Scope::Files] {
                let first = found(&load(&units, &node(), scope));
                prop_assert_eq!(&found(&whole.load(&units, &node(), scope)), &first);
                let told = std::mem::take(&mut told);
                prop_assert_eq!(&found(&step.update(told, &node(), scope)), &first);
            }
        }
    }
}

#[test]
fn what_did_not_change_is_the_same_from_load_to_load() {
    let text = |ports: &str| {
        let rule = format!(
            "ingress: [{{action: Allow, protocol: TCP, destination: {{ports: [{ports}]}}}}]"
        );
        document("GlobalNetworkPolicy", "a", "") + &document("GlobalNetworkPolicy", "b", &rule)
    };
    let other = document("GlobalNetworkPolicy", "c", "");
    let mut loader = Loader::default();
    let files = [file("1.yaml", text("80")), file("2.yaml", other)];
    let before = loader
        .load(&files, &node(), Scope::Directory)
        .snapshot
        .expect("valid");
    let changes = Changes {
        changed: vec![file("1.yaml", text("81"))],
        removed: Vec::new(),
    };
    let after = loader
        .update(changes, &node(), Scope::Directory)
        .snapshot
        .expect("valid");
    let policies = before.policies.iter().zip(&after.policies);
    let same: Vec<bool> = policies
        .map(|(before, after)| Arc::ptr_eq(before, after))
        .collect();
    assert_eq!(same, [true, false, true]);
    let tiers = before.tiers.iter().zip(&after.tiers);
    assert!(
        tiers
            .clone()
            .all(|(before, after)| Arc::ptr_eq(before, after))
    );
    assert!(Arc::ptr_eq(&before.profiles[0], &after.profiles[0]));
}
