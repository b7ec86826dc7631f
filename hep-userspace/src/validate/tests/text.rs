//! RS-301: a file that Calico takes as well means the same to it.

use super::*;

/// Scalars that are no text to YAML 1.1, or to 1.2.
const NOT_TEXT: [&str; 30] = [
    "y", "Y", "n", "N", "yes", "No", "on", "OFF", "true", "False", "5", "-5", "+5", "017", "08",
    "0x10", "0X1f", "0o17", "0b11", "-0b1", "1_000", "1__0", "1.5", "80.0", ".5", "1e3", "1e400",
    "1.5_0", ".inf", ".NaN",
];
/// Text to both.
const TEXT: [&str; 10] = [
    "yellow",
    "oN",
    "t",
    "f",
    "x1_000",
    "1.2.3",
    "2001-01-01",
    "e3",
    "0x1p3",
    "0b12",
];

/// RS-301, RS-011, RS-012, RS-041: label values and keys, in quotes or without.
#[test]
fn labels_are_text_to_every_reader() {
    let set = |label: &str| document("GlobalNetworkSet", &format!("s, labels: {{{label}}}"), "");
    let profile = |label: &str| document("Profile", "p", &format!("labelsToApply: {{{label}}}"));
    for word in NOT_TEXT {
        for text in [
            set(&format!("a: {word}")),
            set(&format!("{word}: a")),
            profile(&format!("a: {word}")),
            profile(&format!("{word}: a")),
        ] {
            let loaded = load_one(&text, Scope::Directory);
            let [error] = loaded.problems.as_slice() else {
                panic!("{text}{:#?}", loaded.problems);
            };
            assert_eq!(
                (error.severity, error.code.name()),
                (Severity::Error, "E-SYNTAX"),
                "{text}"
            );
            let quoted = format!("in quotes: \"{word}\"");
            assert!(error.advice.contains(&quoted), "{error}");
        }
        // In quotes it is what it looks like.
        if word.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            let sets = accept(&set(&format!("a: '{word}', \"{word}\": b"))).sets;
            let labels = &sets[0].metadata.labels;
            assert_eq!(labels["a"], word);
            assert_eq!(labels[word], "b");
        }
    }
    for word in TEXT {
        let sets = accept(&set(&format!("a: {word}, {word}: b"))).sets;
        assert_eq!(sets[0].metadata.labels["a"], word);
        assert_eq!(sets[0].metadata.labels[word], "b");
    }
    assert_eq!(accept(&set("a: ")).sets[0].metadata.labels["a"], "");
}

/// RS-301: names, words and other text; also keys of annotations.
#[test]
fn text_of_every_field_is_text_to_every_reader() {
    for text in [
        endpoint("node: y, interfaceName: eth0"),
        endpoint("node: n1, interfaceName: 0b11"),
        endpoint("node: n1, interfaceName: eth0, profiles: [on]"),
        endpoint("node: n1, interfaceName: eth0, ports: [{name: n, protocol: TCP, port: 1}]"),
        document("Tier", "no", ""),
        policy("tier: 1_0"),
        policy("selector: yes"),
        rule("action: Allow, protocol: TCP, source: {ports: [y]}"),
        rule("action: Allow, protocol: TCP, source: {ports: [0b11]}"),
        rule("action: Allow, protocol: TCP, source: {ports: [1e400]}"),
        document("Tier", "t, annotations: {off: x}", ""),
        document("Tier", "t, annotations: {a: 1_0}", ""),
        document("FelixConfiguration", "default", "bpfLogLevel: Off"),
    ] {
        let loaded = load_one(&text, Scope::Directory);
        let [error] = loaded.problems.as_slice() else {
            panic!("{text}{:#?}", loaded.problems);
        };
        assert!(error.advice.contains("in quotes"), "{text}{error}");
    }
}

/// RS-301: (text, its number in Calico).
#[test]
fn whole_numbers_may_have_any_form_that_calico_reads() {
    for (text, number) in [
        ("80", 80),
        ("80.0", 80),
        ("8e+01", 80),
        ("8E1", 80),
        ("+80", 80),
        ("0x50", 80),
        ("0X50", 80),
        ("0o120", 80),
        ("080", 80),
        ("0b1010000", 80),
        ("8_0", 80),
    ] {
        let snapshot = accept(&endpoint(&format!(
            "node: n1, interfaceName: eth0, ports: [{{name: a, protocol: TCP, port: {text}}}]"
        )));
        assert_eq!(snapshot.endpoints[0].ports[0].port, number, "{text}");
        let snapshot = accept(&document("Tier", "t", &format!("order: {text}")));
        let tier = snapshot
            .tiers
            .iter()
            .find(|tier| &*tier.metadata.name == "t");
        assert_eq!(
            tier.map(|tier| tier.order),
            Some(f64::from(number)),
            "{text}"
        );
        let snapshot = accept(&rule(&format!(
            "action: Allow, protocol: ICMP, icmp: {{type: {text}}}"
        )));
        let icmp = snapshot.policies[0].ingress[0]
            .icmp
            .and_then(|icmp| icmp.icmp_type);
        assert_eq!(icmp.map(u16::from), Some(number), "{text}");
        let snapshot = accept(&rule(&format!("action: Allow, protocol: {text}")));
        let protocol = snapshot.policies[0].ingress[0].protocol;
        assert_eq!(
            protocol.map(|it| u16::from(it.number)),
            Some(number),
            "{text}"
        );
    }
    for text in ["80.5", "'80'", "0b12", "1e-1", "80:00", "2001-01-01"] {
        let ports = format!(
            "node: n1, interfaceName: eth0, ports: [{{name: a, protocol: TCP, port: {text}}}]"
        );
        assert!(
            load_one(&endpoint(&ports), Scope::Directory)
                .snapshot
                .is_none(),
            "{text}"
        );
    }
    for (text, octal, decimal) in [
        ("0120", "80", "120"),
        ("0_12", "10", "12"),
        ("-017", "-15", "-17"),
    ] {
        let error = refuse(
            &document("Tier", "t", &format!("order: {text}")),
            "E-SYNTAX",
            "spec.order",
        );
        assert_eq!(error.advice, format!("write {octal} or {decimal}"));
    }
}

/// RS-301.
#[test]
fn truth_values_have_the_words_of_yaml_1_1() {
    for (words, value) in [
        ("y Y yes Yes YES true True TRUE on On ON", true),
        ("n N no No NO false False FALSE off Off OFF", false),
    ] {
        for word in words.split(' ') {
            let spec = format!("selector: all(), applyOnForward: {word}");
            let stage = accept(&policy(&spec)).policies[0].stage;
            let expected = crate::model::Stage::Normal {
                apply_on_forward: value,
            };
            assert_eq!(stage, expected, "{word}");
        }
    }
    for word in ["'true'", "\"y\"", "1", "0", "t", "yEs", "x"] {
        refuse(
            &policy(&format!("applyOnForward: {word}")),
            "E-SYNTAX",
            "spec.applyOnForward",
        );
    }
}

/// RS-305.
#[test]
fn any_field_of_kubernetes_metadata_is_accepted() {
    for field in [
        "generateName: x-",
        "deletionGracePeriodSeconds: 30",
        "deletionTimestamp: 2020-01-01T00:00:00Z",
        "selfLink: /x",
        "namespace: ''",
        "namespace: ",
        "generation: 3",
        "ownerReferences: [{}]",
        "managedFields: []",
    ] {
        accept(&document("Tier", &format!("t, {field}"), ""));
    }
    for field in [
        "generateName: [x]",
        "deletionGracePeriodSeconds: x",
        "initializers: {}",
    ] {
        let loaded = load_one(
            &document("Tier", &format!("t, {field}"), ""),
            Scope::Directory,
        );
        assert!(loaded.snapshot.is_none(), "{field}");
    }
}

/// RS-310: a whole policy by merge keys.
#[test]
fn merge_keys_make_rules() {
    let text = policy("").replace(
        "spec: {}",
        "spec:\n  ingress:\n  - &a {action: Allow, protocol: TCP, source: &s {nets: [10.0.0.0/8]}}\n  \
         - <<: *a\n    action: Deny\n    source:\n      <<: *s\n      notNets: [10.1.0.0/16]",
    );
    let rules = &accept(&text).policies[0].ingress;
    assert_eq!(rules[1].protocol, rules[0].protocol);
    assert_eq!(rules[1].action, crate::model::Action::Deny);
    assert_eq!(rules[1].source.nets, rules[0].source.nets);
    assert_eq!(rules[1].source.not_nets.len(), 1);
}
