//! Kinds, names, labels and annotations.

use super::*;

/// RS-001, RS-003, RS-137.
#[test]
fn kinds_versions_and_keys_are_strict() {
    let good = endpoint("node: n1, interfaceName: eth0");
    accept(&good);
    let version = refuse(&good.replace("org/v3", "org/v4"), "E-KIND", "apiVersion");
    assert!(version.advice.contains("projectcalico.org/v3"));
    let kind = refuse(
        &good.replace("HostEndpoint", "HostEndpiont"),
        "E-KIND",
        "kind",
    );
    assert!(kind.advice.contains("HostEndpoint?"), "{kind}");
    refuse(
        &good.replace("kind: HostEndpoint\n", ""),
        "E-REQUIRED",
        "kind",
    );
    refuse(
        &good.replace("apiVersion: projectcalico.org/v3\n", ""),
        "E-REQUIRED",
        "apiVersion",
    );
    refuse(
        &good.replace("metadata: {name: e}\n", ""),
        "E-REQUIRED",
        "metadata",
    );
    let misspelt = endpoint("node: n1, interfaceName: eth0, profles: []");
    let key = refuse(&misspelt, "E-SYNTAX", "spec.profles");
    assert!(key.advice.contains("profiles?"), "{key}");
    assert_eq!((key.position.line, key.position.column), (5, 39));
    refuse(
        &good.replace("node: n1", "node: n1, node: m"),
        "E-SYNTAX",
        "",
    );
    refuse(&format!("{good}status: {{}}\n"), "E-SYNTAX", "status");
}

#[test]
fn a_missing_spec_is_an_empty_one_and_told() {
    let bare = |kind: &str| document(kind, "x", "").replace("spec: {}\n", "");
    warn(&bare("GlobalNetworkPolicy"), "W-NOSPEC", "spec");
    assert!(
        load_one(&bare("HostEndpoint"), Scope::Directory)
            .snapshot
            .is_none()
    );
}

/// RS-132, RS-134, RS-135, RS-136, RS-309.
#[test]
fn kinds_that_mean_nothing_here_are_skipped_with_a_notice() {
    for kind in [
        "NetworkPolicy",
        "StagedNetworkPolicy",
        "StagedKubernetesNetworkPolicy",
        "Node",
        "IPPool",
        "BGPPeer",
        "WorkloadEndpoint",
    ] {
        let notice = warn(&document(kind, "x", "whatever: 1"), "N-SKIPPED", "");
        assert_eq!(notice.severity, Severity::Notice);
        assert!(notice.message.contains(kind), "{notice}");
    }
}

/// RS-008, RS-009, RS-010, RS-016.
#[test]
fn names_follow_their_kind() {
    let long = |length: usize| "n".repeat(length);
    for (kind, good, bad) in [
        (
            "HostEndpoint",
            vec!["e", "a.b.c", "0-9", &long(253)],
            vec!["E", "a_b", "-a", "a-", "a..b", ".a", &long(254)],
        ),
        ("Tier", vec!["t", &long(63)], vec!["a.b", &long(64), "A"]),
        (
            "GlobalNetworkPolicy",
            vec!["p", "default.p", &long(253)],
            vec!["a.b.c", "P", "a.", &long(254)],
        ),
        (
            "StagedGlobalNetworkPolicy",
            vec!["p", "default.p"],
            vec!["a.b.c"],
        ),
    ] {
        let spec = if kind == "HostEndpoint" {
            "node: n1, interfaceName: \"*\""
        } else {
            ""
        };
        for name in good {
            accept(&document(kind, name, spec));
        }
        for name in bad {
            refuse(&document(kind, name, spec), "E-NAME", "metadata.name");
        }
        refuse(
            &document(kind, "x, namespace: y", spec),
            "E-SYNTAX",
            "metadata.namespace",
        );
        refuse(&document(kind, "", spec), "E-REQUIRED", "metadata.name");
    }
}

/// RS-011, RS-012, RS-013, RS-014, RS-015.
#[test]
fn labels_and_annotations_follow_their_rules() {
    let with = |metadata: &str| document("Tier", &format!("t, {metadata}"), "");
    let labels = |label: &str| with(&format!("labels: {{{label}}}"));
    for label in [
        "a: b",
        "example.com/A_b.c: 'X.y-z_1'",
        "a: ''",
        "a: ",
        &format!("{}: b", "k".repeat(63)),
    ] {
        accept(&labels(label));
    }
    for label in [
        "-a: b",
        "a/b/c: d",
        "Example.com/a: b",
        "/a: b",
        "a/: b",
        "a: -b",
        "a: 'b c'",
        &format!("{}: b", "k".repeat(64)),
        &format!("a: {}", "v".repeat(64)),
    ] {
        let error = load_one(&labels(label), Scope::Directory).problems;
        assert!(
            matches!(error.as_slice(), [error] if error.code.name() == "E-LABEL"),
            "{label}: {error:?}"
        );
    }
    let number = refuse(
        &labels("version: 1.0"),
        "E-SYNTAX",
        "metadata.labels.version",
    );
    assert!(number.advice.contains("\"1.0\""), "{number}");
    refuse(
        &labels("enabled: true"),
        "E-SYNTAX",
        "metadata.labels.enabled",
    );
    accept(&with("annotations: {Example.com/Key: 'any text at all ☃'}"));
    refuse(
        &with("annotations: {'a b': c}"),
        "E-LABEL",
        "metadata.annotations.a b",
    );
    refuse(
        &with(&format!("annotations: {{a: {}}}", "x".repeat(262_144))),
        "E-LABEL",
        "metadata.annotations",
    );
    accept(&with(
        "uid: x, resourceVersion: '1', creationTimestamp: null, generation: 3, managedFields: [], ownerReferences: [], finalizers: []",
    ));
}
