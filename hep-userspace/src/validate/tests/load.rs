//! Loads as a whole: documents, lists, duplicates, messages.

use super::*;

/// RS-002.
#[test]
fn documents_sequences_and_lists_hold_objects() {
    let object = |name: &str| {
        format!(
            "{{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {{name: {name}}}, spec: {{}}}}"
        )
    };
    let (a, b) = (object("a"), object("b"));
    let list = "apiVersion: projectcalico.org/v3, metadata: {resourceVersion: '1'}";
    for text in [
        format!("{a}\n---\n{b}\n"),
        format!("- {a}\n- {b}\n"),
        format!("{{{list}, kind: TierList, items: [{a}, {b}]}}"),
        format!("{{apiVersion: v1, kind: List, items: [{a}, {b}]}}"),
    ] {
        assert_eq!(accept(&text).tiers.len(), 5, "{text}");
    }
    refuse(
        &format!("{{{list}, kind: TeirList, items: [{a}]}}"),
        "E-KIND",
        "kind",
    );
    refuse(
        &format!("{{{list}, kind: TierList, items: {{}}}}"),
        "E-SYNTAX",
        "items",
    );
    refuse(
        "{apiVersion: v2, kind: TierList, items: []}",
        "E-KIND",
        "apiVersion",
    );
}

/// RS-005, RS-006, RS-007.
#[test]
fn any_error_refuses_the_load_and_all_are_told() {
    let good = file("a.yaml", document("Tier", "t", ""));
    let again = file("b.yaml", document("Tier", "t", "order: 1"));
    let broken = file("c.yaml", rule("action: allow, protocol: tcp") + "---\n[\n");
    assert!(
        load(std::slice::from_ref(&good), &node(), Scope::Directory)
            .snapshot
            .is_some()
    );
    let loaded = load(&[good, again, broken], &node(), Scope::Directory);
    assert!(loaded.snapshot.is_none());
    let told: Vec<_> = loaded
        .problems
        .iter()
        .map(|problem| {
            (
                problem.position.origin.path().and_then(Path::to_str),
                problem.code.name(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("b.yaml"), "E-DUP"),
            (Some("c.yaml"), "E-ENUM"),
            (Some("c.yaml"), "E-ENUM"),
            (Some("c.yaml"), "E-SYNTAX"),
        ]
    );
    assert!(
        loaded.problems[0].message.contains("a.yaml:4"),
        "{}",
        loaded.problems[0]
    );
}

/// RS-213.
#[test]
fn messages_name_place_object_field_value_and_remedy() {
    let loaded = load(
        &[file(
            "policies/ssh.yaml",
            rule("action: Allow, protocol: TCP, destination: {ports: ['443:80']}"),
        )],
        &node(),
        Scope::Directory,
    );
    assert_eq!(
        loaded.problems[0].to_string(),
        "policies/ssh.yaml:5:71: GlobalNetworkPolicy/p: spec.ingress[0].destination.ports[0]: \
         port range 443:80 is reversed (got: \"443:80\"); write 80:443"
    );
    let json = serde_json::to_value(&loaded.problems[0]).expect("serialises");
    for (key, value) in [
        ("file", "policies/ssh.yaml"),
        ("kind", "GlobalNetworkPolicy"),
        ("name", "p"),
        ("severity", "error"),
        ("code", "E-RANGE"),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!((&json["line"], &json["column"]), (&5.into(), &71.into()));
}

/// An object that has problems still exists for those that name it.
#[test]
fn one_mistake_is_told_once() {
    let text = document("Tier", "t", "order: x")
        + &policy("tier: t")
        + &document("Profile", "q", "ingress: [{}]")
        + &endpoint("node: node1, interfaceName: e, profiles: [q]");
    let codes: Vec<_> = load_one(&text, Scope::Directory)
        .problems
        .iter()
        .map(|problem| problem.code.name())
        .collect();
    assert_eq!(codes, ["E-SYNTAX", "E-REQUIRED"]);
}

#[test]
fn snapshots_are_sorted_by_name() {
    let snapshot = accept(
        &(document("Profile", "z", "")
            + &document("Profile", "a", "")
            + &policy("")
            + &document("StagedGlobalNetworkPolicy", "p", "")
            + &document("GlobalNetworkPolicy", "a", "")),
    );
    let profiles: Vec<_> = snapshot
        .profiles
        .iter()
        .map(|profile| &*profile.metadata.name)
        .collect();
    assert_eq!(profiles, ["a", "projectcalico-default-allow", "z"]);
    let policies: Vec<_> = snapshot
        .policies
        .iter()
        .map(|policy| (&*policy.metadata.name, policy.kind.name()))
        .collect();
    assert_eq!(
        policies,
        [
            ("a", "GlobalNetworkPolicy"),
            ("p", "GlobalNetworkPolicy"),
            ("p", "StagedGlobalNetworkPolicy")
        ]
    );
    assert_eq!(snapshot.written(), 5);
}
