//! Warnings of `hep validate`: each with its file and line, an error under `--strict`.

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

/// A policy with this ingress rule alone.
fn rule(rule: &str) -> String {
    policy("p", &format!("ingress: [{{action: Allow, {rule}}}]"))
}

/// EV-049, EV-078, EV-129, EV-132, RS-034, RS-035, RS-037, RS-067, RS-103, RS-131, RS-150, RS-157,
/// RS-159, RS-161, RS-184, RS-193, SL-056.
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
            "applies to the endpoint's expectedIPs and it has none",
        ),
        (
            "RS-034",
            endpoint(
                "h1-eth1",
                "interfaceName: eth1, profiles: [projectcalico-default-allow], ports: \
                 [{name: a, protocol: TCP, port: 1}, {name: a, protocol: TCP, port: 1}]",
            ),
            "W-REPEATED",
            "already listed",
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
            "RS-103",
            rule("source: {namespaceSelector: all()}"),
            "W-EMPTY",
            "the rule never matches",
        ),
        (
            "RS-131",
            network_set("s", "", &["192.0.2.0/24".into(), "192.0.2.0/24".into()]),
            "W-REPEATED",
            "",
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
            "DNS",
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
        let problems = on(&directory, &command).exits(0).document("validate")["problems"].take();
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

/// RS-071, RS-132 to RS-136, RS-142, RS-303, RS-309, RS-311, RS-312: input that needs no change is a
/// notice, and no warning to `--strict`.
#[test]
fn what_needs_no_change_is_a_notice() {
    let object = |version: &str, kind: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    };
    for (text, code, words) in [
        (
            policy("p", "namespaceSelector: x == 'y'"),
            "N-NAMESPACE",
            "neither namespace",
        ),
        (
            policy("p", "selector: nobody == 'there'"),
            "N-UNSELECTED",
            "selects no HostEndpoint",
        ),
        (
            policy(
                "p",
                "selector: nobody == 'there', ingress: [{action: Deny, http: {methods: [GET]}}]",
            ),
            "N-UNSUPPORTED",
            "the policy selects no HostEndpoint of h1",
        ),
        (
            policy("p", "types: [Ingress, Ingress], ingress: [{action: Allow}]"),
            "N-REPEATED",
            "once",
        ),
        (
            resource("NetworkPolicy", "x", "", ""),
            "N-SKIPPED",
            "never apply to hosts",
        ),
        (resource("Node", "x", "", ""), "N-SKIPPED", "Node x"),
        (
            resource("IPPool", "x", "", ""),
            "N-SKIPPED",
            "not about host policy",
        ),
        (
            resource("WorkloadEndpoint", "x", "", ""),
            "N-SKIPPED",
            "WorkloadEndpoint x",
        ),
        (
            object("v1", "ConfigMap"),
            "N-OTHER",
            "ConfigMap/x: v1 ConfigMap",
        ),
        (
            object("networking.k8s.io/v1", "NetworkPolicy"),
            "N-OTHER",
            "is skipped",
        ),
        (felix("vxlanPort: 4789"), "N-UNUSED", "vxlanPort"),
        (
            "- id: a\n  node: h1\n  packets: []\n".to_owned(),
            "N-CASES",
            "hep test",
        ),
    ] {
        let directory = Directory::new();
        directory.write("a.yaml", &sound());
        directory.write("b.yaml", &text);
        let command = ["validate", "--node", "h1", "--strict"];
        let said = on(&directory, &command).exits(0).says(words);
        assert!(said.stdout.contains(": notice: "), "{text}{said:#?}");
        assert!(said.stdout.contains(" 0 warnings, "), "{text}{said:#?}");
        let problems = on(&directory, &["validate", "--node", "h1", "-o", "json"])
            .exits(0)
            .document("validate")["problems"]
            .take();
        let problems = problems.as_array().expect("a list");
        let told = problems.iter().find(|problem| problem["code"] == code);
        let told = told.unwrap_or_else(|| panic!("{text}: {problems:#?}"));
        assert_eq!(told["severity"], "notice", "{text}");
    }
}

/// RS-007: a file that cannot be read hides nothing of the others.
#[test]
fn a_dangling_link_hides_no_problem() {
    let directory = Directory::new();
    directory.write("p.yaml", &policy("p", "ingress: [{action: allow}]"));
    for link in ["a.yaml", "z.yaml"] {
        std::os::unix::fs::symlink("nowhere", directory.path().join(link)).expect("link");
    }
    let command = ["validate", "--node", "h1"];
    let said = on(&directory, &command)
        .exits(3)
        .says("a.yaml")
        .says("z.yaml");
    drop(said.says("write Allow; case matters"));
}

/// A policy may be for the endpoint that `hep run --auto-host-endpoint` makes.
#[test]
fn the_generated_endpoint_is_known_to_validate() {
    let directory = Directory::new();
    directory.write("a.yaml", &policy("p", "selector: env == 'prod'"));
    let command = ["validate", "--node", "h1", "--strict"];
    let unselected = "selects no HostEndpoint";
    drop(on(&directory, &command).exits(0).says(unselected));
    let mut command = command.to_vec();
    command.extend(["--auto-host-endpoint", "--node-label", "env=prod"]);
    let said = on(&directory, &command).exits(0);
    assert!(!said.stdout.contains(unselected), "{said:#?}");
}
