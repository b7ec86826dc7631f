//! Groups other than `projectcalico.org`: Calico's own form in Kubernetes, and what is none of its.

use super::*;

/// An object as kubectl exports it from `crd.projectcalico.org/v1`.
fn stored(kind: &str, metadata: &str, spec: &str) -> String {
    document(kind, metadata, spec).replace("projectcalico.org/v3", "crd.projectcalico.org/v1")
}

/// RS-308: metadata comes from the annotation; values beside it count only where it has none.
#[test]
fn kept_metadata_is_put_back() {
    let blob = |json: &str| {
        format!(
            "e, labels: {{a: cr, b: cr}}, annotations: {{k: cr, projectcalico.org/metadata: '{json}'}}"
        )
    };
    let spec = "node: node1, interfaceName: eth0";
    let read = |json: &str| {
        accept(&stored("HostEndpoint", &blob(json), spec)).endpoints[0]
            .metadata
            .clone()
    };
    let pairs = |map: &BTreeMap<String, String>| -> String {
        let pairs: Vec<String> = map
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(" ")
    };
    for (json, labels, annotations) in [
        (
            r#"{"labels":{"a":"blob","c":"blob"},"annotations":{"k":"blob"}}"#,
            "a=blob b=cr c=blob",
            "k=blob",
        ),
        (
            r#"{"creationTimestamp":"2024-05-01T08:00:00Z"}"#,
            "a=cr b=cr",
            "k=cr",
        ),
        (
            r#"{"labels":null,"managedFields":[{"manager":"x"}]}"#,
            "a=cr b=cr",
            "k=cr",
        ),
    ] {
        let metadata = read(json);
        assert_eq!(
            (pairs(&metadata.labels), pairs(&metadata.annotations)),
            (labels.to_owned(), annotations.to_owned())
        );
        assert_eq!(&*metadata.name, "e");
    }
    for json in [
        "{",
        "[]",
        r#"{"labels":{"a b":"c"}}"#,
        r#"{"labels":{"a":1}}"#,
    ] {
        refuse(
            &stored("HostEndpoint", &blob(json), spec),
            "E-LABEL",
            "metadata",
        );
    }
    let bare = accept(&stored("HostEndpoint", "e, labels: {role: db}", spec));
    assert_eq!(pairs(&bare.endpoints[0].metadata.labels), "role=db");
}

/// RS-308: (name, annotation, name that is read).
#[test]
fn kept_names_of_policies_are_put_back() {
    for (name, annotation, read) in [
        ("default.x", "", "default.x"),
        ("default.x", "{}", "x"),
        ("default.x", r#"{"name":"default.x"}"#, "default.x"),
        ("default.x", r#"{"name":"x"}"#, "x"),
        ("net.x", "{}", "net.x"),
    ] {
        let annotation = match annotation {
            "" => String::new(),
            json => format!(", annotations: {{projectcalico.org/metadata: '{json}'}}"),
        };
        let text = stored("GlobalNetworkPolicy", &format!("{name}{annotation}"), "");
        assert_eq!(&*accept(&text).policies[0].metadata.name, read, "{text}");
    }
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: crd.projectcalico.org/v1, kind: Tier, metadata: {name: t}, spec: {}}\n";
    assert_eq!(accept(list).tiers.len(), 4);
}

/// RS-308: labels that Calico's tools would not see are reported.
#[test]
fn labels_in_the_annotation_alone_are_told() {
    let with = |labels: &str| {
        endpoint("node: node1, interfaceName: eth0").replace(
            "name: e",
            &format!("name: e, {labels}annotations: {{projectcalico.org/metadata: '{{\"labels\":{{\"role\":\"db\"}}}}'}}"),
        )
    };
    let told = warn(&with(""), "W-METADATA", "metadata");
    assert!(told.message.contains("role"), "{told}");
    warn(&with("labels: {role: web}, "), "W-METADATA", "metadata");
    let same = warnings(&with("labels: {role: db}, "));
    assert!(
        same.iter().all(|it| it.code.name() != "W-METADATA"),
        "{same:#?}"
    );
}

/// RS-309, RS-137: (apiVersion, kind, whether it is skipped in a directory).
#[test]
fn objects_of_other_groups_are_skipped_and_mistyped_ones_refused() {
    for (version, kind, is_skipped) in [
        ("v1", "ConfigMap", true),
        ("v1", "Node", true),
        ("apps/v1", "Deployment", true),
        ("networking.k8s.io/v1", "NetworkPolicy", true),
        ("networking.k8s.io/v1", "NetworkPolicyList", true),
        ("operator.tigera.io/v1", "Installation", true),
        ("cilium.io/v2", "CiliumNetworkPolicy", true),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization", true),
        // Typing mistakes.
        ("v1", "GlobalNetworkPolicy", false),
        ("v3", "HostEndpoint", false),
        ("example.com/v1", "GlobalNetworkPolcy", false),
        ("example.com/v1", "globalnetworkset", false),
        ("example.com/v1", "NetworkSet", false),
        ("projectcalico.org/v1", "GlobalNetworkPolicy", false),
        ("projectcalico.org/v1", "Whatever", false),
        ("projectcalco.org/v3", "Tier", false),
        ("projectcalico.com/v3", "Tier", false),
        ("projectcalico.orgs/v3", "Whatever", false),
        ("projctcalco.org/v3", "Whatever", false),
        ("example.com/v1", "GlobalNtwrkPolicy", false),
        ("example.com/v1", "GlobalNtwrkPlicy", true),
        ("project-calico.org/v3", "HostEndpoint", false),
        ("Projectcalico.org/v3", "Tier", false),
        ("crd.projectcalico.org/v3", "Tier", false),
        ("crd.projectcalico.or/v1", "Whatever", false),
        ("projectcalico.org/v3", "GlobalNetworkPolcy", false),
        ("projectcalico.org/v3", "Whatever", false),
        ("projectcalico.org/v3", "ippool", false),
    ] {
        let text =
            format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\ndata: {{}}\n");
        let loaded = load_one(&text, Scope::Directory);
        assert_eq!(
            loaded.snapshot.is_some(),
            is_skipped,
            "{text}{:#?}",
            loaded.problems
        );
        if is_skipped {
            let [notice] = loaded.problems.as_slice() else {
                panic!("{text}{:#?}", loaded.problems);
            };
            assert_eq!(notice.severity, Severity::Notice, "{text}");
            assert!(
                notice.message.contains(kind) && notice.message.contains(version),
                "{notice}"
            );
        }
        // Of a file by itself, everything is meant.
        assert!(load_one(&text, Scope::Files).snapshot.is_none(), "{text}");
    }
}

/// RS-309: a file for `hep test` beside the policies that it is about.
#[test]
fn files_of_cases_are_skipped_with_a_notice() {
    let cases = "- id: a\n  node: node1\n  resources: [p.yaml]\n  packets: []\n";
    let notice = warn(cases, "N-CASES", "");
    assert_eq!(notice.severity, Severity::Notice);
    assert!(notice.message.contains("hep test"), "{notice}");
    let loaded = load_one("- id: a\n  metadata: {name: x}\n", Scope::Directory);
    assert!(loaded.snapshot.is_none());
}
