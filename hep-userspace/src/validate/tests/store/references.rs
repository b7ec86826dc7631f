//! References, conditions, identities, and what other versions write.

use super::*;
use crate::model::{Action, DefaultAction, Rule, Tier};

/// (spec DS-313, DS-054, DS-087): EV-026, RS-124, RS-044.
#[test]
fn references_may_come_later() {
    let units = [
        object(
            "HostEndpoint",
            "e",
            r#"{"node":"node1","interfaceName":"eth0","profiles":["f"]}"#,
        ),
        object("GlobalNetworkPolicy", "p", r#"{"tier":"late"}"#),
    ];
    let (snapshot, loaded) = store(&units);
    assert_eq!(
        codes(&loaded),
        ["W-PENDING", "W-PENDING"],
        "{:#?}",
        loaded.problems
    );
    assert_eq!(loaded.degraded(), None);
    let tier = snapshot
        .tiers
        .iter()
        .find(|tier| &*tier.metadata.name == "late");
    let tier = tier.expect("a stand-in");
    assert_eq!(tier.default_action, DefaultAction::Deny);
    let is_last = |other: &Arc<Tier>| other.order <= tier.order;
    assert!(snapshot.tiers.iter().all(is_last));
    let profile = snapshot
        .profiles
        .iter()
        .find(|one| &*one.metadata.name == "f");
    let profile = profile.expect("a stand-in");
    assert_eq!(profile.ingress[0].action, Action::Deny);
    assert_eq!(profile.egress[0].action, Action::Deny);
    let late = [
        object("Profile", "f", r#"{"ingress":[{"action":"Allow"}]}"#),
        object("Tier", "late", r#"{"order":3}"#),
    ];
    let (snapshot, loaded) = store(&[&units[..], &late].concat());
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    assert_eq!(
        snapshot
            .tiers
            .iter()
            .filter(|tier| tier.order == 3.0)
            .count(),
        1
    );
    assert_eq!(snapshot.profiles.len(), 2);
}

/// (spec DS-316)
#[test]
fn conditions_that_cannot_be_judged_never_widen() {
    for condition in [
        r#""http":{"methods":["GET"]}"#,
        r#""source":{"serviceAccounts":{"names":["s"]}}"#,
        r#""source":{"nets":["192.0.2.0/24"],"namespaceSelector":"env == 'prod'"}"#,
        r#""destination":{"services":{"name":"s","namespace":"n"}}"#,
        r#""destination":{"moonPhase":"full"}"#,
        r#""moonPhase":"full""#,
    ] {
        let rules: Vec<String> = ["Allow", "Pass", "Deny", "Log"]
            .iter()
            .map(|action| format!(r#"{{"action":"{action}",{condition}}}"#))
            .collect();
        let spec = format!(r#"{{"ingress":[{}]}}"#, rules.join(","));
        let policy = object("GlobalNetworkPolicy", "p", &spec);
        let (snapshot, loaded) = store(&[here(), policy.clone()]);
        let rules = &only(&snapshot).ingress;
        let never = |rule: &Rule| {
            let selector = rule.source.selector.as_ref();
            selector.is_some_and(|selector| selector.canonical() == "!all()")
        };
        let narrowed: Vec<bool> = rules.iter().map(never).collect();
        assert_eq!(narrowed, [true, true, false, false], "{condition}");
        assert!(rules[2].source.selector.is_none(), "{condition}");
        assert_eq!(codes(&loaded), ["W-UNJUDGED"; 4], "{:#?}", loaded.problems);
        let told = loaded.degraded().expect("it is");
        assert!(
            told.contains("GlobalNetworkPolicy/p: spec.ingress[0]"),
            "{told}"
        );
        // (spec DS-314)
        let (_, loaded) = store(&[policy]);
        assert_eq!(codes(&loaded), ["N-UNSUPPORTED"; 4]);
        assert_eq!(loaded.degraded(), None);
    }
    let (_, loaded) = store(&[
        here(),
        object(
            "GlobalNetworkPolicy",
            "p",
            r#"{"egress":[{"action":"Allow","destination":{"namespaceSelector":"global()"}}]}"#,
        ),
    ]);
    assert_eq!(loaded.degraded(), None, "{:#?}", loaded.problems);
}

/// (spec DS-041, DS-098, DS-131, DS-247)
#[test]
fn what_other_versions_write_is_read() {
    let ports: Vec<String> = (1..=60).map(|port| port.to_string()).collect();
    let policy = format!(
        r#"{{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy","new":1,"status":{{}},
            "metadata":{{"name":"default.my.policy","labels":null,"annotations":{{"No/t/valid":"x"}},
            "creationTimestamp":null,"managedFields":7,"new":true}},
            "spec":{{"new":[],"ingress":[{{"action":"Allow","protocol":"TCP","source":{{}},
            "destination":{{"ports":[{}]}}}}]}}}}"#,
        ports.join(",")
    );
    let units = [
        version("globalnetworkpolicies", "default.my.policy", 1, &policy),
        object(
            "ClusterInformation",
            "default",
            r#"{"datastoreReady":true}"#,
        ),
        object("KubeControllersConfiguration", "default", "{}"),
        object("IPPool", "p", "{}"),
        object(
            "StagedGlobalNetworkPolicy",
            "s",
            r#"{"stagedAction":"Delete","order":3}"#,
        ),
    ];
    let (snapshot, loaded) = store(&units);
    assert_eq!(codes(&loaded), ["N-UNKNOWN"; 3], "{:#?}", loaded.problems);
    assert!(loaded.kept.is_empty());
    // (spec DS-243): a staged policy that deletes one is not there.
    let found = only(&snapshot);
    assert_eq!((found.applies_ingress, found.applies_egress), (true, false));
    assert_eq!(&*found.metadata.name, "default.my.policy");
}

/// (spec DS-074, DS-075, DS-078, DS-079)
#[test]
fn policies_are_told_apart_by_their_keys() {
    let shown = json("GlobalNetworkPolicy", "foo", "{}");
    let units = [
        version("globalnetworkpolicies", "default.foo", 1, &shown),
        version("globalnetworkpolicies", "foo", 2, &shown),
    ];
    let (snapshot, loaded) = store(&units);
    assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
    let names = |name: fn(&Policy) -> &str| -> Vec<&str> {
        snapshot
            .policies
            .iter()
            .map(|policy| name(policy))
            .collect()
    };
    assert_eq!(names(|policy| &policy.metadata.name), ["foo", "foo"]);
    assert_eq!(
        names(|policy| policy.metadata.identity()),
        ["default.foo", "foo"]
    );
    // Everything else is called like its key (spec DS-242 to DS-245).
    let tier = version("tiers", "t", 1, &json("Tier", "other", r#"{"order":3}"#));
    let (snapshot, _) = store(&[tier]);
    assert!(
        snapshot
            .tiers
            .iter()
            .any(|tier| &*tier.metadata.name == "t")
    );
}
