//! Fields of a rule one by one, and the limits of its lists.

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
