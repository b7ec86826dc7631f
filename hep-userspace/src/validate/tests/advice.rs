//! Warnings that need the whole snapshot.

use super::*;

/// A local endpoint that is open where no policy applies.
const LOCAL: &str = "node: node1, interfaceName: eth0, profiles: [projectcalico-default-allow]";

fn labelled(name: &str, labels: &str, spec: &str) -> String {
    document(
        "HostEndpoint",
        &format!("{name}, labels: {{{labels}}}"),
        spec,
    )
}

fn set(labels: &str, nets: &str) -> String {
    document(
        "GlobalNetworkSet",
        &format!("s, labels: {{{labels}}}"),
        &format!("nets: [{nets}]"),
    )
}

fn silent(text: &str) {
    let warnings = warnings(text);
    assert!(warnings.is_empty(), "{text}\n{warnings:#?}");
}

#[test]
fn policies_that_select_no_endpoint_are_told() {
    let web = labelled("e", "role: web", LOCAL);
    silent(&(web.clone() + &policy("selector: role == 'web'")));
    warn(
        &(web.clone() + &policy("selector: role == 'wbe'")),
        "N-UNSELECTED",
        "spec.selector",
    );
    // SL-048: a policy never selects a set. SL-043: labels of profiles count.
    warn(
        &(web.clone() + &set("role: db", "10.0.0.1") + &policy("selector: role == 'db'")),
        "N-UNSELECTED",
        "spec.selector",
    );
    let profile = document("Profile", "x", "labelsToApply: {env: prod, role: db}");
    let inherits = labelled("f", "role: web", &LOCAL.replace("[", "[x, "));
    silent(&(inherits.clone() + &profile + &policy("selector: env == 'prod'")));
    warn(
        &(inherits + &profile + &policy("selector: role == 'db'")),
        "N-UNSELECTED",
        "spec.selector",
    );
}

#[test]
fn endpoints_for_other_hosts_alone_are_told() {
    let warning = warn(
        &endpoint("node: node2, interfaceName: eth0"),
        "W-NODE",
        "spec.node",
    );
    assert!(warning.message.contains("node1") && warning.message.contains("node2"));
    silent(&endpoint(LOCAL));
    silent("");
}

/// SL-056, SL-057, RS-037.
#[test]
fn rule_selectors_without_addresses_are_told() {
    let e = labelled(
        "e",
        "role: web",
        &format!("{LOCAL}, expectedIPs: [192.0.2.1]"),
    );
    let with = |fields: &str| {
        e.clone() + &set("kind: bad", "10.0.0.0/8") + &rule(&format!("action: Deny, {fields}"))
    };
    silent(&with(
        "source: {selector: kind == 'bad'}, destination: {selector: role == 'web'}",
    ));
    silent(&with(
        "source: {selector: has(kind), notSelector: kind == 'good'}",
    ));
    warn(
        &with("source: {selector: kind == 'worse'}"),
        "W-EMPTY",
        "spec.ingress[0].source.selector",
    );
    warn(
        &with("destination: {notSelector: kind == 'worse'}"),
        "W-EMPTY",
        "spec.ingress[0].destination.notSelector",
    );
    warn(
        &with("source: {selector: has(kind), notSelector: kind == 'bad'}"),
        "W-EMPTY",
        "spec.ingress[0].source.selector",
    );
    let empty = labelled("e", "role: web", LOCAL)
        + &set("kind: bad", "")
        + &rule("action: Deny, source: {selector: kind == 'bad'}");
    warn(&empty, "W-EMPTY", "spec.ingress[0].source.selector");
    let bare = labelled("e", "role: web", LOCAL) + &rule("action: Deny, source: {selector: all()}");
    warn(&bare, "W-NOADDRESS", "spec.expectedIPs");
    let remote = labelled("r", "role: web", "node: node2, interfaceName: eth0");
    let bare = endpoint(&format!("{LOCAL}, expectedIPs: [192.0.2.1]"))
        + &remote
        + &rule("action: Deny, source: {selector: all()}");
    silent(&bare);
}

/// EV-129, EV-132.
#[test]
fn named_ports_that_never_match_are_told() {
    let port = "ports: [{name: http, protocol: TCP, port: 80}]";
    let uses = rule("action: Allow, destination: {ports: [http]}");
    silent(&(endpoint(&format!("{LOCAL}, expectedIPs: ['2001:db8::1'], {port}")) + &uses));
    warn(
        &(endpoint(LOCAL) + &uses),
        "W-NAMEDPORT",
        "spec.ingress[0].destination.ports",
    );
    let bare = warn(
        &(endpoint(&format!("{LOCAL}, {port}")) + &uses),
        "W-NAMEDPORT",
        "spec.ingress[0].destination.ports",
    );
    assert!(bare.message.contains("expectedIPs"));
}

/// EV-131: a named port has a protocol, and so has the rule.
#[test]
fn named_ports_of_another_protocol_are_told() {
    let ports = "expectedIPs: [192.0.2.1], ports: [{name: dns, protocol: UDP, port: 53}]";
    let e = endpoint(&format!("{LOCAL}, {ports}"));
    let uses = |protocol: &str| {
        rule(&format!(
            "action: Allow, protocol: {protocol}, destination: {{ports: [dns]}}"
        ))
    };
    silent(&(e.clone() + &uses("UDP")));
    let other = warn(
        &(e + &uses("TCP")),
        "W-NAMEDPORT",
        "spec.ingress[0].destination.ports",
    );
    assert!(other.message.contains("another protocol"));
}

/// EV-048, EV-049, EV-053: endpoints where only failsafes pass are reported, with the directions where that
/// is so.
#[test]
fn endpoints_that_nothing_opens_are_told() {
    let bare = LOCAL.replace("projectcalico-default-allow", "");
    let told = |more: &str| {
        let text = endpoint(&bare) + more;
        let warnings = warnings(&text);
        let closed: Vec<String> = warnings
            .into_iter()
            .filter(|warning| warning.code.name() == "W-CLOSED")
            .map(|warning| warning.message)
            .collect();
        let told = closed.first().cloned().unwrap_or_default();
        told.split(" traffic").next().unwrap_or_default().to_owned()
    };
    let policy = |spec: &str| policy(&format!("ingress: [], {spec}"));
    let says = |directions: &str| format!("no policy applies to {directions}");
    assert_eq!(told(""), says("ingress and egress"));
    assert_eq!(told(&policy("types: [Ingress]")), says("egress"));
    assert_eq!(told(&policy("types: [Egress]")), says("ingress"));
    assert_eq!(told(&policy("types: [Ingress, Egress]")), "");
    // EV-060: these stages decide nothing by default.
    assert_eq!(
        told(&policy("preDNAT: true, applyOnForward: true")),
        says("ingress and egress")
    );
    let staged = document("StagedGlobalNetworkPolicy", "s", "types: [Ingress, Egress]");
    assert_eq!(told(&staged), says("ingress and egress"));
    let text = endpoint(&bare.replace("[]", "[x]"))
        + &document("Profile", "x", "egress: [{action: Allow}]");
    let closed = warn(&text, "W-CLOSED", "spec.profiles");
    assert!(
        closed
            .message
            .starts_with("no policy applies to ingress traffic")
    );
}

/// EV-078, EV-175.
#[test]
fn untracked_rules_in_one_direction_are_told() {
    let untracked = |name: &str, spec: &str| {
        document(
            "GlobalNetworkPolicy",
            name,
            &format!("doNotTrack: true, applyOnForward: true, {spec}"),
        )
    };
    let e = endpoint(LOCAL);
    let one = untracked(
        "a",
        "ingress: [{action: Allow, protocol: UDP, destination: {ports: [53]}}]",
    );
    let back = untracked(
        "b",
        "egress: [{action: Allow, protocol: UDP, source: {ports: [53]}}]",
    );
    warn(&(e.clone() + &one), "W-UNTRACKED", "spec.ingress[0]");
    warn(&(e.clone() + &back), "W-UNTRACKED", "spec.egress[0]");
    silent(&(e.clone() + &one + &back));
    let tcp = untracked("b", "egress: [{action: Allow, protocol: TCP}]");
    warn(&(e.clone() + &one + &tcp), "W-UNTRACKED", "spec.ingress[0]");
    silent(&(e + &untracked("a", "ingress: [{action: Deny}]")));
}

/// RS-213: nothing is reported that depends on other files.
#[test]
fn files_alone_are_not_judged_as_a_whole() {
    let text = policy(
        "selector: role == 'web', ingress: [{action: Allow, source: {selector: has(x)}, destination: {ports: [http]}}]",
    );
    assert_eq!(load_one(&text, Scope::Files).problems, []);
    // A policy that selects nothing is told once, and as a notice.
    assert_eq!(warnings(&text).len(), 1);
}
