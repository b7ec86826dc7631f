//! Fields of a rule that do not go together.

use super::*;

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
