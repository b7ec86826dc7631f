//! Random histories of valid and invalid versions.

use proptest::{prelude::*, sample::select};

use super::*;

/// Versions of some objects, and whether each is valid.
fn versions() -> Vec<(&'static str, &'static str, &'static str, bool)> {
    vec![
        (
            "GlobalNetworkPolicy",
            "p",
            r#"{"tier":"t","ingress":[{"action":"Allow"}]}"#,
            true,
        ),
        (
            "GlobalNetworkPolicy",
            "p",
            r#"{"tier":"u","order":3}"#,
            true,
        ),
        (
            "GlobalNetworkPolicy",
            "p",
            r#"{"tier":"t","ingress":[{"action":"allow"}]}"#,
            false,
        ),
        ("GlobalNetworkPolicy", "p", r#"{"selector":"a =="}"#, false),
        ("Tier", "t", r#"{"order":5}"#, true),
        ("Tier", "t", r#"{"order":6,"defaultAction":"Pass"}"#, true),
        ("Tier", "t", r#"{"order":"x"}"#, false),
        (
            "HostEndpoint",
            "e",
            r#"{"node":"node1","interfaceName":"eth0","profiles":["f"]}"#,
            true,
        ),
        (
            "HostEndpoint",
            "e",
            r#"{"node":"node1","interfaceName":"eth1"}"#,
            true,
        ),
        (
            "HostEndpoint",
            "e",
            r#"{"node":"node1","interfaceName":"eth0","ports":[7]}"#,
            false,
        ),
        ("GlobalNetworkSet", "s", r#"{"nets":["192.0.2.1"]}"#, true),
        (
            "GlobalNetworkSet",
            "s",
            r#"{"nets":["192.0.2.1","192.0.2.2"]}"#,
            true,
        ),
        (
            "GlobalNetworkSet",
            "s",
            r#"{"nets":["192.0.2.1","x"]}"#,
            false,
        ),
        ("Profile", "f", r#"{"egress":[{"action":"Allow"}]}"#, true),
        (
            "Profile",
            "f",
            r#"{"egress":[{"action":"Allow","http":{"methods":["GET"]}}]}"#,
            true,
        ),
        ("Profile", "f", r#"{"egress":[{}]}"#, false),
        (
            "FelixConfiguration",
            "default",
            r#"{"failsafeInboundHostPorts":[]}"#,
            true,
        ),
        (
            "FelixConfiguration",
            "default",
            r#"{"failsafeInboundHostPorts":7}"#,
            false,
        ),
    ]
}

/// The part of a result that does not depend on which versions were seen.
fn shape(loaded: &Loaded) -> String {
    format!("{:#?}", loaded.snapshot)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// (spec DS-312, DS-319): after any history, the last valid versions are in force.
    #[test]
    fn any_history_leaves_the_last_valid_versions(
        steps in proptest::collection::vec(
            (proptest::collection::vec((select(versions()), 0..8_usize), 1..4), any::<bool>()),
            1..14,
        ),
    ) {
        let mut present: BTreeMap<Origin, Unit> = BTreeMap::new();
        let mut valid: BTreeMap<Origin, Unit> = BTreeMap::new();
        let mut loader = Loader::default();
        for (revision, (changes, restarts)) in steps.iter().enumerate() {
            let mut told = Changes::default();
            // Of two versions at once only the last is told.
            let last: BTreeMap<_, _> = changes.iter().map(|change| (change.0.0, change)).collect();
            for ((kind, name, spec, is_valid), dice) in last.into_values() {
                let unit = revised(kind, name, revision, spec);
                let origin = unit.origin.unversioned();
                if *dice == 0 {
                    present.remove(&origin);
                    valid.remove(&origin);
                    told.removed.push(origin);
                } else {
                    if *is_valid {
                        valid.insert(origin.clone(), unit.clone());
                    }
                    present.insert(origin, unit.clone());
                    told.changed.push(unit);
                }
            }
            if *restarts {
                let journal = loader.in_force();
                loader = Loader::default();
                drop(loader.load(&journal, &node(), Scope::Store));
            }
            let units: Vec<Unit> = present.values().cloned().collect();
            let loaded = if *restarts {
                loader.load(&units, &node(), Scope::Store)
            } else {
                loader.update(told, &node(), Scope::Store)
            };
            let expected: Vec<Unit> = present
                .iter()
                .map(|(origin, unit)| valid.get(origin).unwrap_or(unit).clone())
                .collect();
            let from_nothing = load(&expected, &node(), Scope::Store);
            prop_assert_eq!(shape(&loaded), shape(&from_nothing));
            prop_assert_eq!(loader.in_force(), expected);
            let not_in_force = present.iter().filter(|(origin, unit)| valid.get(*origin) != Some(*unit));
            prop_assert_eq!(loaded.kept.len(), not_in_force.count());
        }
    }
}
