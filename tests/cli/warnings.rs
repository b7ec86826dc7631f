//! What `hep validate` warns of: each with its file and line, an error under `--strict`.

use hep_tests::policy::{
    Directory, documents, endpoint, eth0, eth0_default_allow, felix, network_set, policy, resource,
};

use crate::on;

/// An endpoint of this node that nothing is odd about.
fn sound() -> String {
    endpoint(
        "h1-eth0",
        "interfaceName: eth0, expectedIPs: [192.0.2.10], profiles: [projectcalico-default-allow]",
    )
}

/// A policy whose one ingress rule says this.
fn rule(rule: &str) -> String {
    policy("p", &format!("ingress: [{{action: Allow, {rule}}}]"))
}

/// EV-049, EV-078, EV-129, EV-132, RS-034, RS-035, RS-037, RS-067, RS-071, RS-103, RS-131, RS-132,
/// RS-135, RS-136, RS-150, RS-157, RS-159, RS-161, RS-184, RS-193, SL-056.
#[test]
fn what_is_probably_not_meant_is_told_with_its_place() {
    let untracked = "doNotTrack: true, applyOnForward: true";
    let rows = [
        // What says it, line of the document, code, words.
        (
            "EV-049",
            eth0(),
            "W-CLOSED",
            "no policy applies to ingress and egress",
        ),
        (
            "EV-078, EV-175",
            policy("p", &format!("{untracked}, ingress: [{{action: Allow}}]")),
            "W-UNTRACKED",
            "no untracked egress rule",
        ),
        (
            "EV-129",
            rule("protocol: TCP, destination: {ports: [http]}"),
            "W-NAMEDPORT",
            "no HostEndpoint has a port named http",
        ),
        (
            "EV-132",
            documents(&[
                rule("protocol: TCP, destination: {ports: [http]}"),
                endpoint(
                    "h1-eth1",
                    "interfaceName: eth1, profiles: [projectcalico-default-allow], \
                     ports: [{name: http, protocol: TCP, port: 80}]",
                ),
            ]),
            "W-NAMEDPORT",
            "stands for the endpoint's expectedIPs and it has none",
        ),
        (
            "RS-034",
            endpoint(
                "h1-eth1",
                "interfaceName: eth1, profiles: [projectcalico-default-allow], ports: \
                 [{name: a, protocol: TCP, port: 1}, {name: a, protocol: TCP, port: 1}]",
            ),
            "W-REPEATED",
            "listed already",
        ),
        (
            "RS-035",
            eth0_default_allow().replace(
                "{name: h1-eth0,",
                "{name: h1-eth1, annotations: {qos.projectcalico.org/dscp: '5'},",
            ),
            "W-IGNORED",
            "",
        ),
        (
            "RS-037",
            documents(&[
                endpoint(
                    "h1-eth1",
                    "interfaceName: eth1, profiles: [projectcalico-default-allow]",
                ),
                rule("source: {selector: role == 'host'}"),
            ]),
            "W-NOADDRESS",
            "has no expectedIPs",
        ),
        (
            "RS-067",
            policy("p", "types: [Ingress], egress: [{action: Allow}]"),
            "W-INERT",
            "",
        ),
        (
            "RS-071",
            policy("p", "namespaceSelector: x == 'y'"),
            "W-NAMESPACE",
            "",
        ),
        (
            "RS-103",
            rule("source: {namespaceSelector: all()}"),
            "W-NAMESPACE",
            "the rule never matches",
        ),
        (
            "RS-131",
            network_set("s", "", &["192.0.2.0/24".into(), "192.0.2.0/24".into()]),
            "W-REPEATED",
            "",
        ),
        (
            "RS-132",
            resource("NetworkPolicy", "x", "", ""),
            "W-IGNORED",
            "no effect",
        ),
        (
            "RS-135",
            resource("Node", "x", "", ""),
            "W-IGNORED",
            "no effect",
        ),
        (
            "RS-136",
            resource("IPPool", "x", "", ""),
            "W-IGNORED",
            "no effect",
        ),
        (
            "RS-150",
            felix("failsafeInboundHostPorts: []"),
            "W-FAILSAFE",
            "locks you out",
        ),
        (
            "RS-150",
            felix("failsafeOutboundHostPorts: []"),
            "W-FAILSAFE",
            "",
        ),
        ("RS-157", felix("ipv6Support: false"), "W-IPV6", ""),
        ("RS-159", felix("bpfEnabled: false"), "W-IGNORED", ""),
        (
            "RS-161",
            felix("bpfLogFilters: {all: tcp}"),
            "W-IGNORED",
            "",
        ),
        (
            "RS-184",
            felix("iptablesFilterDenyAction: Reject"),
            "W-IGNORED",
            "",
        ),
        (
            "RS-193",
            felix("bpfConntrackTimeouts: {udpTimeout: Auto}"),
            "W-IGNORED",
            "",
        ),
        (
            "SL-056",
            rule("source: {selector: nobody == 'there'}"),
            "W-EMPTY",
            "the rule never matches",
        ),
        (
            "a policy that selects nothing",
            policy("p", "selector: nobody == 'there'"),
            "W-UNSELECTED",
            "selects no HostEndpoint",
        ),
        (
            "no endpoint here",
            resource("HostEndpoint", "x", "", "node: other, interfaceName: eth0"),
            "W-NODE",
            "no HostEndpoint is for this host",
        ),
    ];
    for (statement, text, code, words) in rows {
        let directory = Directory::new();
        if !matches!(code, "W-CLOSED" | "W-NODE") {
            directory.write("a.yaml", &sound());
        }
        directory.write("b.yaml", &format!("# first line\n{text}"));
        let command = ["validate", "--node", "h1", "-o", "json"];
        let problems = on(&directory, &command).exits(0).json();
        let problems = problems.as_array().expect("a list").clone();
        let told = problems.iter().find(|problem| problem["code"] == code);
        let told = told.unwrap_or_else(|| panic!("{statement}: {problems:#?}"));
        assert_eq!(problems.len(), 1, "{statement}: once: {problems:#?}");
        assert_eq!(told["severity"], "warning", "{statement}");
        assert_eq!(told["line"], 2, "{statement}");
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        assert!(text("file").ends_with("/b.yaml"), "{statement}: {told:#}");
        assert!(text("message").contains(words), "{statement}: {told:#}");
        drop(on(&directory, &["validate", "--node", "h1", "--strict"]).exits(3));
    }
}

/// A policy may be for the endpoint that `hep run --auto-host-endpoint` makes.
#[test]
fn the_generated_endpoint_is_known_to_validate() {
    let directory = Directory::new();
    directory.write("a.yaml", &policy("p", "selector: env == 'prod'"));
    let command = ["validate", "--node", "h1", "--strict"];
    drop(
        on(&directory, &command)
            .exits(3)
            .says("selects no HostEndpoint"),
    );
    let mut command = command.to_vec();
    command.extend(["--auto-host-endpoint", "--node-label", "env=prod"]);
    drop(on(&directory, &command).exits(0));
}
