//! Rules and their sides.

use super::*;
/// RS-019, RS-020, RS-021, RS-022, RS-023, RS-074, RS-075, RS-076, RS-077, RS-004: one field at a time.
#[test]
fn fields_of_a_rule_are_checked_one_by_one() {
    accept(&rule(
        "action: Allow, protocol: 6, notProtocol: UDPLite, metadata: {annotations: {a: b}}",
    ));
    accept(&rule("action: Log, protocol: '255', ipVersion: 4"));
    accept(&rule(
        "action: Pass, protocol: TCP, destination: {ports: [1, '65535', '80:443', 80:80, http, '22']}",
    ));
    accept(&rule(
        "action: Deny, protocol: ICMP, icmp: {type: 254, code: 255}, notICMP: {type: 0}",
    ));
    accept(&rule("action: Deny, protocol: 58, icmp: {}"));
    for (fields, code, field) in [
        ("protocol: TCP", "E-REQUIRED", "action"),
        ("action: allow", "E-ENUM", "action"),
        ("action: Reject", "E-ENUM", "action"),
        ("action: Allow, ipVersion: 5", "E-ENUM", "ipVersion"),
        ("action: Allow, ipVersion: '4'", "E-SYNTAX", "ipVersion"),
        ("action: Allow, protocol: tcp", "E-ENUM", "protocol"),
        ("action: Allow, protocol: 0", "E-RANGE", "protocol"),
        ("action: Allow, protocol: 256", "E-RANGE", "protocol"),
        ("action: Allow, protocol: '256'", "E-RANGE", "protocol"),
        ("action: Allow, protocol: 1.5", "E-ENUM", "protocol"),
        ("action: Allow, notProtocol: GRE", "E-ENUM", "notProtocol"),
        (
            "action: Allow, protocol: ICMP, icmp: {type: 255}",
            "E-RANGE",
            "icmp.type",
        ),
        (
            "action: Allow, protocol: ICMP, icmp: {type: 8, code: 256}",
            "E-RANGE",
            "icmp.code",
        ),
        (
            "action: Allow, protocol: ICMP, icmp: {code: 1}",
            "E-ICMPPROTO",
            "icmp",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: [0]}",
            "E-RANGE",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: [65536]}",
            "E-RANGE",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: ['0:10']}",
            "E-RANGE",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: ['443:80']}",
            "E-RANGE",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: ['1:65536']}",
            "E-RANGE",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: ['80:']}",
            "E-SYNTAX",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: [80-90]}",
            "E-NAME",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {ports: [022]}",
            "E-SYNTAX",
            "source.ports[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {notPorts: [HTTP]}",
            "E-NAME",
            "source.notPorts[0]",
        ),
        (
            "action: Allow, protocol: TCP, source: {port: [80]}",
            "E-SYNTAX",
            "source.port",
        ),
        (
            "action: Allow, metadata: {labels: {}}",
            "E-SYNTAX",
            "metadata.labels",
        ),
        (
            "action: Allow, source: {nets: 10.0.0.0/8}",
            "E-SYNTAX",
            "source.nets",
        ),
    ] {
        refuse(&rule(fields), code, &format!("spec.ingress[0].{field}"));
    }
}

/// RS-024, RS-090, RS-094, RS-097, RS-051, RS-302.
#[test]
fn networks_and_lists_of_a_rule_have_limits() {
    for net in [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "'::/0'",
        "'2001:db8::/32'",
        "192.0.2.1/32",
    ] {
        accept(&rule(&format!("action: Allow, source: {{nets: [{net}]}}")));
    }
    for (net, advice) in [
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("192.0.2.1", "write 192.0.2.1/32"),
        ("'2001:db8::1/32'", "write 2001:db8::/32"),
        ("'2001:db8::1'", "write 2001:db8::1/128"),
    ] {
        let error = refuse(
            &rule(&format!("action: Allow, source: {{nets: [{net}]}}")),
            "E-CIDR",
            "spec.ingress[0].source.nets[0]",
        );
        assert_eq!(error.advice, advice);
    }
    for net in ["0.0.0.0/0", "'::/0'"] {
        refuse(
            &rule(&format!("action: Allow, source: {{notNets: [{net}]}}")),
            "E-CIDR",
            "spec.ingress[0].source.notNets[0]",
        );
    }
    // RS-303, RS-304.
    let twice = rule("action: Allow, source: {nets: [10.0.0.0/8, 10.0.0.0/8]}");
    warn(&twice, "N-REPEATED", "spec.ingress[0].source.nets[1]");
    assert_eq!(accept(&twice).policies[0].ingress[0].source.nets.len(), 1);
    let mapped = rule("action: Allow, source: {nets: ['::ffff:10.0.0.0/104', 10.0.0.0/8]}");
    warn(&mapped, "W-MAPPED", "spec.ingress[0].source.nets[0]");
    let nets = |count: u32| {
        (0..count)
            .map(|n| format!("10.0.{}.{}/32", n / 256, n % 256))
            .collect::<Vec<_>>()
            .join(", ")
    };
    accept(&rule(&format!(
        "action: Allow, source: {{nets: [{}]}}",
        nets(256)
    )));
    warn(
        &rule(&format!("action: Allow, source: {{nets: [{}]}}", nets(257))),
        "W-SCHEMA",
        "spec.ingress[0].source.nets",
    );
    // Also as long as the lists of sets are, whose lines are not read one by one.
    let lines: Vec<String> = (0..700)
        .map(|n| format!("      - 10.0.{}.{}/32", n / 256, n % 256))
        .collect();
    let long = policy("").replace(
        "spec: {}",
        &format!(
            "spec:\n  ingress:\n  - action: Allow\n    source:\n      nets:\n{}",
            lines.join("\n")
        ),
    );
    assert_eq!(accept(&long).policies[0].ingress[0].source.nets.len(), 700);
    let ports = |count: usize| {
        let ports: Vec<String> = (1..=count).map(|port| port.to_string()).collect();
        ports.join(", ")
    };
    accept(&rule(&format!(
        "action: Allow, protocol: TCP, source: {{ports: [{}]}}",
        ports(50)
    )));
    warn(
        &rule(&format!(
            "action: Allow, protocol: TCP, source: {{ports: [{}]}}",
            ports(51)
        )),
        "W-SCHEMA",
        "spec.ingress[0].source.ports",
    );
    let twice = rule("action: Allow, protocol: TCP, source: {ports: [80, '80:80', 81]}");
    warn(&twice, "N-REPEATED", "spec.ingress[0].source.ports[1]");
    assert_eq!(accept(&twice).policies[0].ingress[0].source.ports.len(), 2);
    let rules = |count: usize| policy(&format!("egress: [{}]", "{action: Allow},".repeat(count)));
    accept(&rules(1024));
    warn(&rules(1025), "W-SCHEMA", "spec.egress");
}

/// RS-081 to RS-091.
#[test]
fn fields_of_a_rule_that_contradict_each_other_are_refused() {
    for fields in [
        "destination: {ports: [http]}",
        "protocol: SCTP, destination: {ports: [80]}",
        "protocol: 17, source: {notPorts: [80]}",
        "protocol: ICMP, destination: {ports: []}",
        "notProtocol: TCP",
        "protocol: 1, notICMP: {type: 8}",
        "protocol: ICMP, ipVersion: 4",
        "protocol: ICMPv6, ipVersion: 6, source: {nets: ['::/0']}",
        "ipVersion: 6, source: {notNets: ['2001:db8::/32']}",
        "protocol: 1, source: {nets: ['2001:db8::/32']}",
    ] {
        accept(&rule(&format!("action: Allow, {fields}")));
    }
    for (fields, code, field) in [
        (
            "destination: {ports: [80]}",
            "E-PORTPROTO",
            "destination.ports",
        ),
        (
            "destination: {notPorts: [http, '1:2']}",
            "E-PORTPROTO",
            "destination.notPorts",
        ),
        (
            "notProtocol: TCP, source: {ports: [80]}",
            "E-PORTPROTO",
            "source.ports",
        ),
        (
            "protocol: ICMP, source: {ports: [http]}",
            "E-PORTPROTO",
            "source.ports",
        ),
        (
            "protocol: UDPLite, source: {ports: [80]}",
            "E-PORTPROTO",
            "source.ports",
        ),
        (
            "protocol: 47, source: {notPorts: [80]}",
            "E-PORTPROTO",
            "source.notPorts",
        ),
        ("icmp: {type: 8}", "E-ICMPPROTO", "icmp"),
        ("protocol: TCP, icmp: {}", "E-ICMPPROTO", "icmp"),
        (
            "protocol: UDP, notICMP: {type: 8}",
            "E-ICMPPROTO",
            "notICMP",
        ),
        ("notICMP: {type: 8}", "E-ICMPPROTO", "notICMP"),
        ("protocol: ICMP, ipVersion: 6", "E-FAMILY", "protocol"),
        ("protocol: ICMPv6, ipVersion: 4", "E-FAMILY", "protocol"),
        ("notProtocol: ICMP, ipVersion: 6", "E-FAMILY", "notProtocol"),
        (
            "notProtocol: ICMPv6, ipVersion: 4",
            "E-FAMILY",
            "notProtocol",
        ),
        (
            "source: {nets: [10.0.0.0/8, '2001:db8::/32']}",
            "E-FAMILY",
            "source.nets[1]",
        ),
        (
            "source: {nets: [10.0.0.0/8]}, destination: {notNets: ['2001:db8::/32']}",
            "E-FAMILY",
            "destination.notNets[0]",
        ),
        (
            "ipVersion: 6, source: {nets: [10.0.0.0/8]}",
            "E-FAMILY",
            "source.nets[0]",
        ),
        (
            "ipVersion: 4, source: {notNets: ['2001:db8::/32']}",
            "E-FAMILY",
            "source.notNets[0]",
        ),
        (
            "protocol: ICMP, source: {nets: ['2001:db8::/32']}",
            "E-FAMILY",
            "source.nets[0]",
        ),
        (
            "protocol: ICMPv6, destination: {nets: [10.0.0.0/8]}",
            "E-FAMILY",
            "destination.nets[0]",
        ),
    ] {
        refuse(
            &rule(&format!("action: Allow, {fields}")),
            code,
            &format!("spec.ingress[0].{field}"),
        );
    }
}

/// RS-095, RS-101, RS-102, RS-103: (expression, hosts and global sets, things of a namespace whose
/// label x is z).
#[test]
fn selectors_of_a_rule_and_its_namespaces() {
    let source = |side: &str| {
        let text = rule(&format!("action: Allow, source: {{{side}}}"));
        accept(&text).policies[0].ingress[0].source.selector.clone()
    };
    let inside = |key: &str| match key {
        "projectcalico.org/namespace" => Some("prod"),
        "pcns.x" => Some("z"),
        _ => None,
    };
    for (text, host, member) in [
        ("global()", true, false),
        (" global( ) ", true, false),
        ("all()", false, true),
        ("all() && x != 'y'", false, true),
        ("x == 'y'", false, false),
        ("x == 'z'", false, true),
        ("x != 'y'", true, true),
        ("x != 'z'", true, false),
        ("!has(x)", true, false),
        ("x not in {'y'}", true, true),
    ] {
        let selector = source(&format!("namespaceSelector: \"{text}\"")).expect("a selector");
        assert_eq!(selector.matches_unlabelled(), host, "{text}");
        assert_eq!(selector.matches_with(inside), member, "{text}");
        let both = source(&format!("selector: has(y), namespaceSelector: \"{text}\""));
        let both = both.expect("a selector");
        assert!(!both.matches_unlabelled(), "{text}");
        assert_eq!(
            both.matches_with(|key| (key == "y").then_some("")),
            host,
            "{text}"
        );
    }
    assert_eq!(source("namespaceSelector: ''"), None);
    for text in ["global() && has(x)", "global() || has(x)", "!global()"] {
        refuse(
            &rule(&format!(
                "action: Allow, source: {{namespaceSelector: '{text}'}}"
            )),
            "E-SELECTOR",
            "spec.ingress[0].source.namespaceSelector",
        );
    }
    for key in ["selector", "notSelector"] {
        for text in ["global()", "has(a) && global()", "a =", "has("] {
            refuse(
                &rule(&format!("action: Allow, destination: {{{key}: '{text}'}}")),
                "E-SELECTOR",
                &format!("spec.ingress[0].destination.{key}"),
            );
        }
    }
    let empty = accept(&rule(
        "action: Allow, source: {selector: '', notSelector: ''}",
    ));
    assert_eq!(empty.policies[0].ingress[0].source.selector, None);
}

/// RS-084, RS-086, RS-087, RS-304: numbers never imply a family.
#[test]
fn icmp_by_number_with_the_other_family_never_matches_and_is_told() {
    for (fields, field) in [
        ("protocol: 58, ipVersion: 4", "protocol"),
        ("protocol: 1, ipVersion: 6", "protocol"),
        ("protocol: 1, ipVersion: 6, icmp: {type: 8}", "protocol"),
        ("notProtocol: 1, ipVersion: 6", "notProtocol"),
    ] {
        warn(
            &rule(&format!("action: Allow, {fields}")),
            "W-FAMILY",
            &format!("spec.ingress[0].{field}"),
        );
    }
}

/// RS-104, RS-105, RS-108, RS-064, RS-065, RS-066.
#[test]
fn conditions_that_a_host_cannot_judge_are_refused() {
    let at = |field: &str| format!("spec.ingress[0].{field}");
    let rule = |fields: &str| here(&rule(fields));
    refuse(
        &rule("action: Allow, http: {methods: [GET], paths: [{exact: /x}]}"),
        "E-UNSUPPORTED",
        &at("http"),
    );
    refuse(
        &rule("action: Allow, source: {services: {name: s, namespace: ns}}"),
        "E-UNSUPPORTED",
        &at("source.services"),
    );
    refuse(
        &rule("action: Allow, source: {serviceAccounts: {names: [s]}}"),
        "E-UNSUPPORTED",
        &at("source.serviceAccounts"),
    );
    let http = load_one(
        &rule(
            "action: Allow, http: {methods: [GET, GET], paths: [{exact: x}, {exact: /a, prefix: /b}, {prefix: '/a?b'}]}",
        ),
        Scope::Directory,
    );
    assert_eq!(http.problems.len(), 5, "{:#?}", http.problems);
    let service = load_one(
        &rule("action: Allow, source: {services: {name: s}}"),
        Scope::Directory,
    );
    assert_eq!(service.problems.len(), 2, "{:#?}", service.problems);
}

#[test]
fn advice_for_common_mistakes_in_selectors() {
    for (text, part) in [
        ("selector: \"has(a)\\n\"", ">-"),
        ("selector: \"has(a) and has(b)\"", "&& for and"),
        ("selector: \"a in ['b']\"", "role == 'web'"),
    ] {
        let error = refuse(&policy(text), "E-SELECTOR", "spec.selector");
        assert!(error.advice.contains(part), "{error}");
    }
}

/// RS-079, RS-080, RS-092, RS-093, RS-098, RS-099, RS-100.
#[test]
fn rules_with_unsupported_conditions_are_refused_however_they_are_written() {
    for (fields, field) in [
        ("action: Deny, http: {methods: [GET]}", "http"),
        (
            "action: Allow, protocol: UDP, http: {methods: [GET]}",
            "http",
        ),
        (
            "action: Allow, protocol: TCP, destination: {services: {name: s, namespace: ns}, ports: [80]}",
            "destination.services",
        ),
        (
            "action: Allow, source: {services: {namespace: ns}}",
            "source.services.name",
        ),
        (
            "action: Allow, source: {services: {name: S_, namespace: ns}}",
            "source.services.name",
        ),
        (
            "action: Allow, source: {services: {name: s, namespace: ns}, selector: has(a)}",
            "source.services",
        ),
        (
            "action: Allow, source: {serviceAccounts: {selector: 'a ='}}",
            "source.serviceAccounts",
        ),
    ] {
        let loaded = load_one(&here(&rule(fields)), Scope::Directory);
        assert!(loaded.snapshot.is_none(), "{fields} was accepted");
        let wanted = format!("spec.ingress[0].{field}");
        assert!(
            loaded
                .problems
                .iter()
                .any(|problem| problem.field == wanted),
            "{fields}: {:#?}",
            loaded.problems
        );
    }
    let annotated = accept(&rule(
        "action: Allow, metadata: {annotations: {why: because}}",
    ));
    assert_eq!(
        annotated.policies[0].ingress[0].annotations.get("why"),
        Some(&"because".to_owned())
    );
}
