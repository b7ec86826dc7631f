//! The API server itself, as the harness runs it, with our definitions of Calico's kinds.

use hep_tests::server::{
    kubectl::ApiGroup,
    kubernetes::{Account, ApiServer},
};
use serde_json::json;

/// One valid object of each kind: its kind, plural, and the inside of its spec.
const OBJECTS: [(&str, &str, &str); 11] = [
    (
        "ClusterInformation",
        "clusterinformations",
        "datastoreReady: true",
    ),
    (
        "FelixConfiguration",
        "felixconfigurations",
        "logSeverityScreen: Warning",
    ),
    (
        "GlobalNetworkPolicy",
        "globalnetworkpolicies",
        "order: 10.5, selector: \"has(role) && role != 'global('\", types: [Ingress], ingress: [{action: \
         Allow, protocol: TCP, source: {nets: [10.0.0.0/8], namespaceSelector: global()}, destination: \
         {ports: [22, '80:90', web]}}]",
    ),
    (
        "GlobalNetworkSet",
        "globalnetworksets",
        "nets: [192.0.2.0/24, '2001:db8::/64']",
    ),
    (
        "HostEndpoint",
        "hostendpoints",
        "node: h1, interfaceName: eth0, ports: [{name: web, port: 80, protocol: 6}]",
    ),
    (
        "KubeControllersConfiguration",
        "kubecontrollersconfigurations",
        "controllers: {node: {leakGracePeriod: 15m}}",
    ),
    (
        "NetworkPolicy",
        "networkpolicies",
        "selector: all(), egress: [{action: Deny, icmp: {type: 254, code: 255}}]",
    ),
    ("NetworkSet", "networksets", "nets: [192.0.2.0/24]"),
    (
        "StagedGlobalNetworkPolicy",
        "stagedglobalnetworkpolicies",
        "selector: all()",
    ),
    (
        "StagedNetworkPolicy",
        "stagednetworkpolicies",
        "selector: all()",
    ),
    ("Tier", "tiers", "order: 1000000, defaultAction: Deny"),
];

fn object(group: ApiGroup, kind: &str, name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: {}, kind: {kind}, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n",
        group.version()
    )
}

/// Applies a text and returns the refusal, or nothing.
fn refusal(server: &ApiServer, text: &str) -> String {
    let output = server.run_with(&["apply", "--server-side", "-f", "-"], text);
    if output.code == 0 {
        return String::new();
    }
    assert!(!output.stderr.is_empty(), "{output:#?}");
    output.stderr
}

/// DS-096, DS-108, DS-109: every kind is served under its plural, with the schema's defaults, and a field of
/// a newer Calico stays.
#[test]
fn both_groups_serve_each_kind_with_its_defaults_and_keep_what_they_do_not_know() {
    let server = ApiServer::start();
    for group in ApiGroup::ALL {
        server.install_kinds(group);
        for (kind, plural, spec) in OBJECTS {
            server.apply(&object(
                group,
                kind,
                "default",
                &format!("{spec}, newer: {{a: 1}}"),
            ));
            let found = server.get(&format!("{plural}.{}", group.name()), "default");
            let found = found.unwrap_or_else(|| panic!("{kind}"));
            assert_eq!(found["apiVersion"], group.version());
            assert_eq!(found["spec"]["newer"], json!({ "a": 1 }), "{kind}");
            let is_global = found["metadata"].get("namespace").is_none();
            let namespaced = ["NetworkPolicy", "NetworkSet", "StagedNetworkPolicy"];
            assert_eq!(is_global, !namespaced.contains(&kind), "{kind}");
            for (holder, field, value) in DEFAULTS {
                if holder == kind {
                    assert_eq!(found["spec"][field], value, "{kind} {field}");
                }
            }
        }
    }
}

/// Defaults of schemas: kind, field, value.
const DEFAULTS: [(&str, &str, &str); 8] = [
    ("GlobalNetworkPolicy", "tier", "default"),
    ("StagedGlobalNetworkPolicy", "tier", "default"),
    ("StagedGlobalNetworkPolicy", "stagedAction", "Set"),
    ("StagedNetworkPolicy", "stagedAction", "Set"),
    ("Tier", "defaultAction", "Deny"),
    ("FelixConfiguration", "nftablesMode", "Auto"),
    ("FelixConfiguration", "nftablesFlowTableOffload", "Disabled"),
    ("KubeControllersConfiguration", "healthChecks", "Enabled"),
];

/// Objects that are refused: kind, name, the inside of the spec, and a part of the message.
const REFUSED: [(&str, &str, &str, &str); 18] = [
    (
        "GlobalNetworkPolicy",
        "p",
        "preDNAT: true, doNotTrack: true, applyOnForward: true",
        "exclude each other",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "preDNAT: true, applyOnForward: true, egress: [{action: Allow}]",
        "no egress rules",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "preDNAT: true, applyOnForward: true, types: [Egress]",
        "not of type Egress",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "preDNAT: true",
        "need applyOnForward",
    ),
    (
        "StagedGlobalNetworkPolicy",
        "p",
        "doNotTrack: true",
        "need applyOnForward",
    ),
    ("GlobalNetworkPolicy", "p", "types: []", "at least 1 items"),
    (
        "GlobalNetworkPolicy",
        "p",
        "selector: global()",
        "is for the namespaceSelector",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "namespaceSelector: \"a == 'b' || global()\"",
        "is for the namespaceSelector",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "ingress: [{action: Deny, source: {selector: global()}}]",
        "is for the namespaceSelector",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "ingress: [{action: Deny, icmp: {type: 255}}]",
        "less than or equal to 254",
    ),
    (
        "GlobalNetworkPolicy",
        "p",
        "ingress: [{action: Deny, notICMP: {type: 8, code: 256}}]",
        "less than or equal to 255",
    ),
    ("HostEndpoint", "h", "interfaceName: eth0", "node is needed"),
    (
        "HostEndpoint",
        "h",
        "node: h1",
        "interfaceName or expectedIPs",
    ),
    (
        "Tier",
        "default",
        "defaultAction: Pass",
        "default action Deny",
    ),
    (
        "Tier",
        "kube-admin",
        "defaultAction: Pass, order: 1001",
        "order 1000",
    ),
    (
        "Tier",
        "kube-baseline",
        "order: 10000000",
        "default action Pass",
    ),
    (
        "FelixConfiguration",
        "default",
        "nodeSelector: all()",
        "nodeSelector does not go",
    ),
    (
        "FelixConfiguration",
        "node.h1",
        "nodeSelector: all()",
        "nodeSelector does not go",
    ),
];

/// DS-098, DS-099, DS-113, DS-132: limits and rules hold in both groups, those about names included.
#[test]
fn both_groups_refuse_what_calicos_schemas_refuse() {
    let server = ApiServer::start();
    let list = |count: usize, item: &str| vec![item; count].join(", ");
    let long = [
        ("ingress", 1024, "{action: Deny}"),
        ("nets", 256, "192.0.2.0/24"),
        ("ports", 50, "80"),
    ];
    for group in ApiGroup::ALL {
        server.install_kinds(group);
        for (kind, name, spec, message) in REFUSED {
            let found = refusal(&server, &object(group, kind, name, spec));
            assert!(found.contains(message), "{kind} {spec}: {found:?}");
        }
        for (field, most, item) in long {
            for (count, is_refused) in [(most, false), (most + 1, true)] {
                let items = list(count, item);
                let spec = match field {
                    "ingress" => format!("ingress: [{items}]"),
                    _ => format!(
                        "ingress: [{{action: Deny, protocol: TCP, source: {{{field}: [{items}]}}}}]"
                    ),
                };
                let found = refusal(
                    &server,
                    &object(group, "GlobalNetworkPolicy", "long", &spec),
                );
                assert_eq!(!found.is_empty(), is_refused, "{count} {field}: {found}");
            }
        }
        let selector = format!("selector: \"a == '{}'\"", "x".repeat(1020));
        assert!(
            refusal(
                &server,
                &object(group, "GlobalNetworkPolicy", "long", &selector)
            )
            .contains("1024")
        );
        for name in ["kube-admin", "kube-baseline"] {
            let tier = object(group, "Tier", name, "defaultAction: Pass");
            assert_eq!(refusal(&server, &tier), "");
        }
    }
}

/// DS-110, DS-111, DS-112: short names and selectable fields are of v3 alone; a status is a subresource of
/// Tier in v3, and of KubeControllersConfiguration in both.
#[test]
fn short_names_status_and_selectable_fields_are_those_of_each_group() {
    let server = ApiServer::start();
    server.install_kinds(ApiGroup::Crd);
    assert_ne!(server.run_with(&["get", "gnp"], "").code, 0);
    let by_tier = [
        "get",
        "globalnetworkpolicies",
        "--field-selector=spec.tier=sec",
        "-o",
        "name",
    ];
    assert_ne!(server.run_with(&by_tier, "").code, 0);
    let with_status = |group| {
        let resources = server.run(&[
            "get",
            "--raw",
            &format!("/apis/{}", ApiGroup::version(group)),
        ]);
        [
            "tiers/status",
            "kubecontrollersconfigurations/status",
            "hostendpoints/status",
        ]
        .map(|name| resources.contains(name))
    };
    assert_eq!(with_status(ApiGroup::Crd), [false, true, false]);
    server.remove_kinds(ApiGroup::Crd);

    server.install_kinds(ApiGroup::V3);
    assert_eq!(with_status(ApiGroup::V3), [true, true, false]);
    for tier in ["sec", "default"] {
        let spec = format!("tier: {tier}");
        server.apply(&object(
            ApiGroup::V3,
            "GlobalNetworkPolicy",
            &format!("p-{tier}"),
            &spec,
        ));
    }
    let found = server.run(&by_tier);
    assert_eq!(found.trim(), "globalnetworkpolicy.projectcalico.org/p-sec");
    for short in [
        "hep",
        "heps",
        "gnp",
        "cgnp",
        "sgnp",
        "gns",
        "clusterinfo",
        "clusterinfos",
        "kcc",
        "kccs",
    ] {
        drop(server.run(&["get", short]));
    }
}

#[test]
fn an_agent_may_what_it_was_granted_and_the_audit_log_has_its_writes() {
    let mut server = ApiServer::start();
    server.install_kinds(ApiGroup::V3);
    let by_agent = |server: &ApiServer, arguments: &[&str]| {
        let mut command = server.kubectl_as(Account::Agent, arguments);
        hep_tests::hep::Output::by(&mut command).code
    };
    assert_ne!(by_agent(&server, &["get", "tiers"]), 0);
    server.grant_reading();
    assert_eq!(by_agent(&server, &["get", "tiers"]), 0);
    assert_eq!(server.writes_of(Account::Agent).len(), 0);
    let create = ["create", "namespace", "n"];
    assert_ne!(by_agent(&server, &create), 0);
    let written = server.writes_of(Account::Agent);
    assert!(
        written.iter().any(|write| write.starts_with("create ")),
        "{written:?}"
    );

    let token = server.service_account_token("hep");
    assert_eq!(token.split('.').count(), 3, "{token}");
    server.kill();
    assert_ne!(by_agent(&server, &["get", "tiers"]), 0);
    server.launch();
    assert_eq!(by_agent(&server, &["get", "tiers"]), 0);
}
