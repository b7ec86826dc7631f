//! Metadata, HostEndpoint, Profile, Tier, GlobalNetworkSet.

use super::*;
use crate::model::{DefaultAction, InterfaceMatch};

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

/// RS-028, RS-029, RS-030, RS-031, RS-027, RS-026.
#[test]
fn host_endpoints_need_a_node_and_an_interface_or_addresses() {
    let star = &accept(&endpoint("node: n1, interfaceName: \"*\"")).endpoints[0];
    assert_eq!(star.interface, InterfaceMatch::All);
    let both = &accept(&endpoint(
        "node: n1, expectedIPs: [192.0.2.1, '2001:db8::1']",
    ))
    .endpoints[0];
    assert_eq!(
        (&both.interface, both.expected_ips.len()),
        (&InterfaceMatch::ByAddress, 2)
    );
    accept(&endpoint("node: n1, interfaceName: eth0.100_a-b"));
    refuse(&endpoint("interfaceName: eth0"), "E-REQUIRED", "spec.node");
    refuse(
        &endpoint("node: '', interfaceName: eth0"),
        "E-REQUIRED",
        "spec.node",
    );
    let upper = refuse(
        &endpoint("node: Node1, interfaceName: eth0"),
        "E-NAME",
        "spec.node",
    );
    assert_eq!(upper.advice, "write node1");
    for nowhere in [
        "node: n1",
        "node: n1, interfaceName: ''",
        "node: n1, expectedIPs: []",
    ] {
        refuse(&endpoint(nowhere), "E-REQUIRED", "spec.interfaceName");
    }
    for name in ["eth*", "'a b'", "a/b", "sixteen-letters0"] {
        refuse(
            &endpoint(&format!("node: n1, interfaceName: {name}")),
            "E-NAME",
            "spec.interfaceName",
        );
    }
    for address in [
        "192.0.2.0/24",
        "2001:db8::/64",
        "192.0.2",
        "x",
        "fe80::1%eth0",
    ] {
        refuse(
            &endpoint(&format!("node: n1, expectedIPs: [{address}]")),
            "E-CIDR",
            "spec.expectedIPs[0]",
        );
    }
    // RS-303, RS-304.
    let twice = endpoint("node: n1, expectedIPs: [192.0.2.1, 192.0.2.1]");
    warn(&twice, "N-REPEATED", "spec.expectedIPs[1]");
    let mapped = endpoint("node: n1, expectedIPs: ['::ffff:192.0.2.1']");
    warn(&mapped, "W-MAPPED", "spec.expectedIPs[0]");
    refuse(
        &endpoint("node: n1, expectedIPs: 192.0.2.1"),
        "E-SYNTAX",
        "spec.expectedIPs",
    );
}

/// RS-022, RS-033, RS-034, RS-035.
#[test]
fn endpoint_ports_have_a_name_a_protocol_and_a_port() {
    let ports = |ports: &str| endpoint(&format!("node: n1, interfaceName: eth0, ports: [{ports}]"));
    accept(&ports(
        "{name: http, protocol: TCP, port: 80}, {name: http, protocol: UDP, port: 80}, {name: z-9, protocol: 132, port: 1}",
    ));
    for (fields, code, field) in [
        ("protocol: TCP, port: 80", "E-REQUIRED", "name"),
        ("name: '', protocol: TCP, port: 80", "E-REQUIRED", "name"),
        ("name: http, port: 80", "E-REQUIRED", "protocol"),
        ("name: http, protocol: TCP", "E-REQUIRED", "port"),
        ("name: Http, protocol: TCP, port: 80", "E-NAME", "name"),
        ("name: a--b, protocol: TCP, port: 80", "E-NAME", "name"),
        ("name: '80', protocol: TCP, port: 80", "E-NAME", "name"),
        (
            "name: sixteen-letters0, protocol: TCP, port: 80",
            "E-NAME",
            "name",
        ),
        (
            "name: http, protocol: ICMP, port: 80",
            "E-PORTPROTO",
            "protocol",
        ),
        (
            "name: http, protocol: UDPLite, port: 80",
            "E-PORTPROTO",
            "protocol",
        ),
        ("name: http, protocol: tcp, port: 80", "E-ENUM", "protocol"),
        ("name: http, protocol: TCP, port: 0", "E-RANGE", "port"),
        ("name: http, protocol: TCP, port: 65536", "E-RANGE", "port"),
        ("name: http, protocol: TCP, port: '80'", "E-SYNTAX", "port"),
    ] {
        refuse(
            &ports(&format!("{{{fields}}}")),
            code,
            &format!("spec.ports[0].{field}"),
        );
    }
    let http = "{name: http, protocol: TCP, port: 80}";
    warn(
        &ports(&format!("{http}, {http}")),
        "W-REPEATED",
        "spec.ports[1]",
    );
    let dscp = endpoint("node: n1, interfaceName: eth0").replace(
        "name: e",
        "name: e, annotations: {qos.projectcalico.org/dscp: '20'}",
    );
    warn(&dscp, "W-IGNORED", "metadata");
}

/// RS-032, RS-043, RS-044.
#[test]
fn profiles_that_endpoints_name_must_exist() {
    let with = |profiles: &str| {
        endpoint(&format!(
            "node: n1, interfaceName: eth0, profiles: {profiles}"
        ))
    };
    let snapshot = accept(
        &(with("[b, a, projectcalico-default-allow]")
            + &document("Profile", "a", "")
            + &document("Profile", "b", "")),
    );
    let names: Vec<&str> = snapshot.endpoints[0]
        .profiles
        .iter()
        .map(|name| &**name)
        .collect();
    assert_eq!(names, ["b", "a", "projectcalico-default-allow"]);
    let missing = refuse(
        &(with("[webb]") + &document("Profile", "web", "")),
        "E-REF",
        "spec.profiles[0]",
    );
    assert!(missing.advice.contains("web?"), "{missing}");
    let twice = with("[a, b, a]") + &document("Profile", "a", "") + &document("Profile", "b", "");
    warn(&twice, "N-REPEATED", "spec.profiles[2]");
    assert_eq!(accept(&twice).endpoints[0].profiles.len(), 2);
    let alone = load_one(&with("[elsewhere]"), Scope::Files);
    assert!(alone.snapshot.is_some());
    assert_eq!(alone.problems[0].severity, Severity::Warning);
}

/// RS-043: as Calico exports it, and in no other form.
#[test]
fn the_built_in_profile_may_be_written_as_it_is() {
    let written = |spec: &str| document("Profile", "projectcalico-default-allow", spec);
    for rule in [
        "{action: Allow}",
        "{action: Allow, source: {}, destination: {}}",
    ] {
        let text = written(&format!("ingress: [{rule}], egress: [{rule}]"));
        let snapshot = accept(&text);
        assert_eq!(snapshot.profiles.len(), 1, "{text}");
        accept(&text.replace("{name:", "{uid: x, resourceVersion: '1', name:"));
    }
    for spec in [
        "",
        "ingress: [{action: Allow}]",
        "ingress: [{action: Deny}], egress: [{action: Allow}]",
        "ingress: [{action: Allow, protocol: TCP}], egress: [{action: Allow}]",
        "ingress: [{action: Allow}, {action: Allow}], egress: [{action: Allow}]",
        "ingress: [{action: Allow}], egress: [{action: Allow}], labelsToApply: {a: b}",
    ] {
        let error = refuse(&written(spec), "E-DUP", "metadata");
        assert!(error.message.contains("always there"), "{error}");
    }
}

/// RS-040, RS-041, RS-042, RS-302.
#[test]
fn profiles_have_rules_and_labels() {
    let snapshot = accept(&document(
        "Profile",
        "x",
        "ingress: [{action: Pass}, {action: Log}], labelsToApply: {role: web}",
    ));
    let profile = snapshot
        .profiles
        .iter()
        .find(|profile| &*profile.metadata.name == "x");
    assert_eq!(profile.map(|profile| profile.ingress.len()), Some(2));
    let many = |count: usize| {
        document(
            "Profile",
            "x",
            &format!("egress: [{}]", "{action: Allow},".repeat(count)),
        )
    };
    accept(&many(1024));
    warn(&many(1025), "W-SCHEMA", "spec.egress");
    refuse(
        &document("Profile", "x", "labelsToApply: {a: 'b c'}"),
        "E-LABEL",
        "spec.labelsToApply.a",
    );
}

/// RS-117, RS-118, RS-119, RS-120, RS-121, RS-122, RS-123, RS-017.
#[test]
fn tiers_have_defaults_and_built_in_ones_are_fixed() {
    let snapshot = accept(&document("Tier", "custom", ""));
    let tiers: Vec<_> = snapshot
        .tiers
        .iter()
        .map(|tier| (&*tier.metadata.name, tier.order, tier.default_action))
        .collect();
    assert_eq!(
        tiers,
        [
            ("custom", 1e6, DefaultAction::Deny),
            ("default", 1e6, DefaultAction::Deny),
            ("kube-admin", 1e3, DefaultAction::Pass),
            ("kube-baseline", 1e7, DefaultAction::Pass),
        ]
    );
    accept(
        &(document("Tier", "default", "order: 1000000, defaultAction: Deny") + "status: {x: 1}\n"),
    );
    accept(&document(
        "Tier",
        "kube-admin",
        "order: 1e3, defaultAction: Pass",
    ));
    // What is left out has the default of any tier.
    accept(&document("Tier", "default", ""));
    refuse(
        &document("Tier", "kube-admin", "order: 1e3"),
        "E-TIER",
        "spec",
    );
    refuse(
        &document("Tier", "kube-baseline", "defaultAction: Pass"),
        "E-TIER",
        "spec",
    );
    for (name, spec, field) in [
        ("default", "order: 5", "order"),
        ("default", "defaultAction: Pass", "defaultAction"),
        ("kube-admin", "order: 999, defaultAction: Pass", "order"),
        (
            "kube-baseline",
            "order: 1e7, defaultAction: Deny",
            "defaultAction",
        ),
    ] {
        refuse(
            &document("Tier", name, spec),
            "E-TIER",
            &format!("spec.{field}"),
        );
    }
    refuse(
        &document("Tier", "t", "defaultAction: deny"),
        "E-ENUM",
        "spec.defaultAction",
    );
    accept(&document("Tier", "t", "order: -1.5"));
    for order in [".nan", ".inf", "-.inf"] {
        refuse(
            &document("Tier", "t", &format!("order: {order}")),
            "E-RANGE",
            "spec.order",
        );
    }
    refuse(
        &document("Tier", "t", "order: first"),
        "E-SYNTAX",
        "spec.order",
    );
}

/// RS-025, RS-126, RS-127, RS-128, RS-131, RS-304.
#[test]
fn network_sets_mask_their_members_and_merge_repeats() {
    let set = |nets: &str| document("GlobalNetworkSet", "s", &format!("nets: {nets}"));
    let nets = |nets: &str| -> Vec<String> {
        accept(&set(nets)).sets[0]
            .nets
            .iter()
            .map(|net| net.to_string())
            .collect()
    };
    assert_eq!(
        nets("[10.1.2.3/8, 192.0.2.1, '2001:db8::1/32', '::1', 0.0.0.0/0, '::/0']"),
        [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.1/32",
            "::/0",
            "::1/128",
            "2001:db8::/32",
        ]
    );
    assert_eq!(nets("[]"), [""; 0]);
    warn(&set("[10.0.0.0/8, 10.1.2.3/8]"), "W-REPEATED", "spec.nets");
    assert_eq!(
        nets("[10.0.0.0/8, 192.0.2.1, 10.1.2.3/8]"),
        ["10.0.0.0/8", "192.0.2.1/32"]
    );
    for net in [
        "10.0.0.0/33",
        "'2001:db8::/129'",
        "10.0.0",
        "010.0.0.0/8",
        "10.0.0.0/+8",
        "10.0.0.0/",
        "x",
    ] {
        refuse(&set(&format!("[{net}]")), "E-CIDR", "spec.nets[0]");
    }
    warn(&set("['::ffff:10.0.0.0/104']"), "W-MAPPED", "spec.nets[0]");
    refuse(&set("[1.5]"), "E-SYNTAX", "spec.nets[0]");
    let labelled = set("[]").replace(
        "name: s",
        "name: s, labels: {projectcalico.org/namespace: x}",
    );
    refuse(&labelled, "E-LABEL", "metadata");
}

/// RS-133, RS-309: selectors match a set of a namespace, too, by a label with the namespace's name.
#[test]
fn sets_of_a_namespace_are_read_with_its_label() {
    let set = |metadata: &str| document("NetworkSet", metadata, "nets: [10.0.0.0/8]");
    let sets = accept(&(set("s, namespace: prod, labels: {a: b}") + &set("s"))).sets;
    let seen: Vec<_> = sets
        .iter()
        .map(|set| (&*set.metadata.name, set.metadata.labels.clone()))
        .collect();
    let labels = |labels: &[(&str, &str)]| {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        labels.iter().map(own).collect()
    };
    assert_eq!(
        seen,
        [
            (
                "default/s",
                labels(&[("projectcalico.org/namespace", "default")])
            ),
            (
                "prod/s",
                labels(&[("projectcalico.org/namespace", "prod"), ("a", "b")])
            ),
        ]
    );
    refuse(
        &(set("s") + &set("s, namespace: default")),
        "E-DUP",
        "metadata.name",
    );
    refuse(&set("s, namespace: A_b"), "E-NAME", "metadata.namespace");
}
