//! Conditions about namespaces, service accounts and pods; configurations for some nodes.

use super::*;
use crate::model::EntityRule;

/// An object of a namespace.
fn namespaced(kind: &str, name: &str, labels: &str, spec: &str) -> Unit {
    let text = format!(
        r#"{{"kind":"{kind}","apiVersion":"projectcalico.org/v3","metadata":{{"namespace":"prod",
            "name":"{name}","labels":{{{labels}}}}},"spec":{spec}}}"#
    );
    let plural = format!("{}s", kind.to_ascii_lowercase());
    version(&plural, &format!("prod/{name}"), 1, &text)
}

fn units(source: &str) -> Vec<Unit> {
    let rule = format!(r#"{{"action":"Deny","source":{{{source}}}}}"#);
    let spec = format!(r#"{{"ingress":[{rule}]}}"#);
    vec![
        here(),
        object("GlobalNetworkPolicy", "p", &spec),
        object(
            "Profile",
            "kns.prod",
            r#"{"labelsToApply":{"pcns.env":"live"}}"#,
        ),
        object(
            "Profile",
            "ksa.prod.web",
            r#"{"labelsToApply":{"pcsa.team":"red"}}"#,
        ),
        namespaced(
            "NetworkSet",
            "db",
            r#""role":"db""#,
            r#"{"nets":["192.0.2.0/24"]}"#,
        ),
        namespaced(
            "WorkloadEndpoint",
            "n-k8s-pod-eth0",
            r#""role":"web","projectcalico.org/serviceaccount":"web""#,
            r#"{"node":"n","pod":"pod","ipNetworks":["198.51.100.7/32"],
                "profiles":["kns.prod","ksa.prod.web"],"interfaceName":"cali1"}"#,
        ),
        object("GlobalNetworkSet", "wide", r#"{"nets":["203.0.113.0/24"]}"#),
    ]
}

/// (spec DS-315, DS-157): (condition, what it selects).
#[test]
fn rules_select_what_is_in_namespaces() {
    for (source, expected) in [
        (r#""selector":"role == 'web'""#, vec!["198.51.100.7/32"]),
        (
            r#""namespaceSelector":"env == 'live'""#,
            vec!["192.0.2.0/24", "198.51.100.7/32"],
        ),
        (
            r#""namespaceSelector":"env == 'live'","selector":"role == 'db'""#,
            vec!["192.0.2.0/24"],
        ),
        (r#""namespaceSelector":"env == 'test'""#, vec![]),
        (
            r#""namespaceSelector":"all()""#,
            vec!["192.0.2.0/24", "198.51.100.7/32"],
        ),
        (r#""namespaceSelector":"global()""#, vec!["203.0.113.0/24"]),
        (
            r#""serviceAccounts":{"names":["web","other"]}"#,
            vec!["198.51.100.7/32"],
        ),
        (
            r#""serviceAccounts":{"selector":"team == 'red'"}"#,
            vec!["198.51.100.7/32"],
        ),
        (
            r#""serviceAccounts":{"names":["web"],"selector":"team == 'blue'"}"#,
            vec![],
        ),
    ] {
        let mut loader = Loader::default();
        loader.set_workloads(true);
        let loaded = loader.load(&units(source), &node(), Scope::Store);
        assert_eq!(loaded.degraded(), None, "{source}");
        assert!(loaded.needs_workloads, "{source}");
        let snapshot = loaded.snapshot.expect("always");
        let entity: &EntityRule = &only(&snapshot).ingress[0].source;
        let selector = entity.selector.as_deref().expect("a selector").clone();
        let members = crate::compile::members(&snapshot, &[selector]).remove(0);
        let members: Vec<String> = members.iter().map(ToString::to_string).collect();
        assert_eq!(members, expected, "{source}");
    }
}

/// (spec DS-315, DS-316): a store tells later that it has them.
#[test]
fn conditions_are_judged_once_their_kinds_are_known() {
    let units = units(r#""namespaceSelector":"env == 'live'""#);
    let mut loader = Loader::default();
    let before = loader.load(&units, &node(), Scope::Store);
    assert!(before.degraded().is_some() && before.needs_workloads);
    // The policy's next version is not valid: the one before counts, and means more now.
    let bad = revised("GlobalNetworkPolicy", "p", 2, r#"{"order":"x"}"#);
    let changes = Changes {
        changed: vec![bad],
        removed: Vec::new(),
    };
    drop(loader.update(changes, &node(), Scope::Store));
    loader.set_workloads(true);
    let after = loader.update(Changes::default(), &node(), Scope::Store);
    assert_eq!(after.kept.len(), 1);
    let snapshot = after.snapshot.expect("always");
    assert!(only(&snapshot).ingress[0].source.selector.is_some());
    // Without a selector in force, nothing is needed.
    let (_, loaded) = store(&[here(), object("GlobalNetworkPolicy", "p", "{}")]);
    assert!(!loaded.needs_workloads);
}

/// (spec DS-021, DS-246, DS-317)
#[test]
fn a_configuration_may_be_for_some_nodes() {
    let scoped = |name: &str, created: &str, spec: &str| {
        let text = format!(
            r#"{{"kind":"FelixConfiguration","apiVersion":"projectcalico.org/v3",
                "metadata":{{"name":"{name}","creationTimestamp":"{created}"}},"spec":{spec}}}"#
        );
        version("felixconfigurations", name, 1, &text)
    };
    let own = |labels: &str| {
        let text = format!(
            r#"{{"kind":"Node","apiVersion":"projectcalico.org/v3","metadata":{{"name":"node1",
                "labels":{{{labels}}}}},"spec":{{"bgp":{{}}}},"status":{{}}}}"#
        );
        version("nodes", "node1", 1, &text)
    };
    let other = object("Node", "node2", "{}");
    let prefix = |units: &[Unit]| {
        let (snapshot, loaded) = store(units);
        assert!(loaded.problems.is_empty(), "{:#?}", loaded.problems);
        snapshot.felix.log_prefix
    };
    let rack = r#"{"nodeSelector":"rack == 'a'","logPrefix":"late"}"#;
    let early = r#"{"nodeSelector":"has(rack)","logPrefix":"early"}"#;
    let same = r#"{"nodeSelector":"has(rack)","logPrefix":"same"}"#;
    let units = [
        scoped("default", "2026-01-01T00:00:00Z", r#"{"logPrefix":"base"}"#),
        scoped("a", "2026-03-01T00:00:00Z", rack),
        scoped("c", "2026-02-01T00:00:00Z", same),
        scoped("b", "2026-02-01T00:00:00Z", early),
        other,
    ];
    assert_eq!(prefix(&units), "base");
    let with = |labels: &str, more: Vec<Unit>| [&units[..], &[own(labels)], &more].concat();
    assert_eq!(prefix(&with(r#""rack":"a""#, vec![])), "early");
    assert_eq!(prefix(&with(r#""row":"a""#, vec![])), "base");
    let mine = object("FelixConfiguration", "node.node1", r#"{"logPrefix":"own"}"#);
    assert_eq!(prefix(&with(r#""rack":"a""#, vec![mine])), "own");
    let everywhere = r#"{"nodeSelector":"all()","logPrefix":"all"}"#;
    let everywhere = scoped("d", "2025-01-01T00:00:00Z", everywhere);
    assert_eq!(prefix(&[everywhere]), "calico-packet");
}
