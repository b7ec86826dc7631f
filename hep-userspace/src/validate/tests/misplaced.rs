//! Advice about keys in the wrong place, which is never to remove them.

use super::*;

/// RS-003, RS-004, RS-213: (document, part of the advice).
#[test]
fn keys_in_the_wrong_place_are_told_where_they_belong() {
    let top = |key: &str| policy("") + key + "\n";
    for (text, says) in [
        (
            rule("action: Allow, nets: [10.0.0.0/8]"),
            "write source: {nets: …} or destination: {nets: …}",
        ),
        (
            rule("action: Allow, protocol: TCP, ports: [22]"),
            "write source: {ports: …} or destination",
        ),
        (
            rule("action: Allow, notSelector: has(a)"),
            "write source: {notSelector: …}",
        ),
        (
            rule("action: Allow, serviceAccounts: {}"),
            "write source: {serviceAccounts: …}",
        ),
        (rule("action: Allow, order: 1"), "write order in spec"),
        (
            rule("action: Allow, source: {protocol: TCP}"),
            "write protocol in the rule",
        ),
        (
            rule("action: Allow, destination: {icmp: {type: 8}}"),
            "write icmp in the rule",
        ),
        (
            rule("action: Allow, protocol: ICMP, icmp: {ports: [1]}"),
            "write source: {ports: …}",
        ),
        (
            policy("nets: [10.0.0.0/8]"),
            "in a rule below ingress or egress, write source: {nets: …}",
        ),
        (policy("protocol: TCP"), "write protocol in a rule"),
        (policy("labels: {a: b}"), "write metadata: {labels: …}"),
        (top("selector: has(a)"), "write spec: {selector: …}"),
        (top("labels: {a: b}"), "write metadata: {labels: …}"),
        (
            document("GlobalNetworkPolicy", "p, selector: has(a)", ""),
            "write spec: {selector: …}",
        ),
        (policy("Selector: has(a)"), "write selector; case matters"),
        (
            policy("selector: has(a), Selector: has(b)"),
            "write selector; case matters",
        ),
        (policy("doNotTRACK: true"), "write doNotTrack; case matters"),
        (
            rule("action: Allow, source: {Nets: [10.0.0.0/8]}"),
            "write nets; case matters",
        ),
        (
            rule("action: Allow, source: {net: [10.0.0.0/8]}"),
            "did you mean nets?",
        ),
        (rule("action: Allow, zebra: 1"), "valid keys here: action, "),
        (
            document("FelixConfiguration", "default", "zebra: 1"),
            "check its spelling",
        ),
    ] {
        let loaded = load_one(&text, Scope::Directory);
        let unknown = loaded
            .problems
            .iter()
            .find(|it| it.message == "unknown key");
        let unknown = unknown.unwrap_or_else(|| panic!("{text}: {:#?}", loaded.problems));
        assert!(unknown.advice.contains(says), "{text}\n{unknown}");
        assert!(!unknown.to_string().contains("remove"), "{unknown}");
    }
}

/// No advice makes a rule match more, whatever condition is refused.
#[test]
fn no_advice_removes_a_condition() {
    for fields in [
        "http: {methods: [GET]}",
        "source: {services: {name: s, namespace: n}}",
        "source: {serviceAccounts: {names: [s]}}",
        "source: {ports: [80]}",
        "protocol: ICMP, source: {ports: [80]}",
        "protocol: TCP, icmp: {type: 8}",
        "source: {notNets: [0.0.0.0/0]}",
        "source: {nets: [10.0.0.0/8, '2001:db8::/32']}",
        "source: {selector: 'global()'}",
        "source: {nets: [10.0.0.1]}",
        "protocol: tcp",
    ] {
        let text = here(&rule(&format!("action: Allow, {fields}")));
        let loaded = load_one(&text, Scope::Directory);
        assert!(loaded.snapshot.is_none(), "{text}");
        for problem in loaded.problems {
            assert!(!problem.advice.contains("remove"), "{text}\n{problem}");
        }
    }
    let closed = endpoint("node: node1, interfaceName: eth0");
    let closed = warn(&closed, "W-CLOSED", "spec.profiles");
    assert!(!closed.advice.contains("default-allow"), "{closed}");
}
