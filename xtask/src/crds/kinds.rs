//! The kinds that a host firewall reads, with their schemas: limits and rules as Calico's API has them.

use serde_json::{Value, json};

use super::schema::{
    RULES, flag, list, number, number_or_text, object, rules, text, word, word_or,
};

/// A kind of resources.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) plural: &'static str,
    /// Short names, which only `projectcalico.org/v3` has.
    pub(super) short: &'static [&'static str],
    pub(super) namespaced: bool,
    pub(super) status: Status,
    /// Whether `spec.tier` selects objects, in `projectcalico.org/v3`.
    pub(super) has_tier: bool,
    pub(super) spec: fn() -> Value,
    /// Rules about the object as a whole.
    pub(super) rules: &'static [(&'static str, &'static str)],
}

/// Groups in which the status is a subresource.
#[derive(Clone, Copy)]
pub(super) enum Status {
    None,
    V3,
    Both,
}

/// A kind without anything special.
const PLAIN: Kind = Kind {
    name: "",
    plural: "",
    short: &[],
    namespaced: false,
    status: Status::None,
    has_tier: false,
    spec: open,
    rules: &[],
};

pub(super) const KINDS: [Kind; 11] = [
    Kind {
        name: "ClusterInformation",
        plural: "clusterinformations",
        short: &["clusterinfo", "clusterinfos"],
        spec: cluster_information,
        ..PLAIN
    },
    Kind {
        name: "FelixConfiguration",
        plural: "felixconfigurations",
        spec: felix_configuration,
        rules: &[(
            "!has(self.spec) || !has(self.spec.nodeSelector) || size(self.spec.nodeSelector) == 0 || \
             !(self.metadata.name == 'default' || self.metadata.name.startsWith('node.'))",
            "nodeSelector does not go with the names default and node.NAME",
        )],
        ..PLAIN
    },
    Kind {
        name: "GlobalNetworkPolicy",
        plural: "globalnetworkpolicies",
        short: &["gnp", "cgnp"],
        has_tier: true,
        spec: global_network_policy,
        ..PLAIN
    },
    Kind {
        name: "GlobalNetworkSet",
        plural: "globalnetworksets",
        short: &["gns"],
        spec: network_set,
        ..PLAIN
    },
    Kind {
        name: "HostEndpoint",
        plural: "hostendpoints",
        short: &["hep", "heps"],
        spec: host_endpoint,
        ..PLAIN
    },
    Kind {
        name: "KubeControllersConfiguration",
        plural: "kubecontrollersconfigurations",
        short: &["kcc", "kccs"],
        status: Status::Both,
        spec: kube_controllers_configuration,
        ..PLAIN
    },
    Kind {
        name: "NetworkPolicy",
        plural: "networkpolicies",
        namespaced: true,
        has_tier: true,
        spec: network_policy,
        ..PLAIN
    },
    Kind {
        name: "NetworkSet",
        plural: "networksets",
        namespaced: true,
        spec: network_set,
        ..PLAIN
    },
    Kind {
        name: "StagedGlobalNetworkPolicy",
        plural: "stagedglobalnetworkpolicies",
        short: &["sgnp"],
        has_tier: true,
        spec: staged_global_network_policy,
        ..PLAIN
    },
    Kind {
        name: "StagedNetworkPolicy",
        plural: "stagednetworkpolicies",
        namespaced: true,
        has_tier: true,
        spec: staged_network_policy,
        ..PLAIN
    },
    Kind {
        name: "Tier",
        plural: "tiers",
        status: Status::V3,
        spec: tier,
        rules: &BUILT_IN_TIERS,
        ..PLAIN
    },
];

/// Rules of the three tiers that every cluster has.
const BUILT_IN_TIERS: [(&str, &str); 3] = [
    (
        "self.metadata.name != 'default' || !has(self.spec) || (self.spec.defaultAction == 'Deny' && \
         (!has(self.spec.order) || self.spec.order == 1000000.0))",
        "tier default has order 1000000 and default action Deny",
    ),
    (
        "self.metadata.name != 'kube-admin' || !has(self.spec) || (self.spec.defaultAction == 'Pass' && \
         (!has(self.spec.order) || self.spec.order == 1000.0))",
        "tier kube-admin has order 1000 and default action Pass",
    ),
    (
        "self.metadata.name != 'kube-baseline' || !has(self.spec) || (self.spec.defaultAction == 'Pass' && \
         (!has(self.spec.order) || self.spec.order == 10000000.0))",
        "tier kube-baseline has order 10000000 and default action Pass",
    ),
];

fn open() -> Value {
    object(&[])
}

fn cluster_information() -> Value {
    object(&[
        ("calicoVersion", text()),
        ("clusterGUID", text()),
        ("clusterType", text()),
        ("datastoreReady", flag()),
        ("variant", text()),
    ])
}

fn felix_configuration() -> Value {
    let modes = ["Auto", "Disabled", "Enabled"];
    object(&[
        ("nodeSelector", text()),
        ("nftablesFlowTableOffload", word_or(&modes[1..])),
        ("nftablesMode", word_or(&modes)),
    ])
}

fn kube_controllers_configuration() -> Value {
    object(&[
        ("controllers", open()),
        ("healthChecks", word_or(&["Enabled", "Disabled"])),
    ])
}

fn tier() -> Value {
    object(&[
        ("defaultAction", word_or(&["Deny", "Pass"])),
        ("order", json!({ "type": "number" })),
    ])
}

fn network_set() -> Value {
    object(&[("nets", list(None, text()))])
}

fn host_endpoint() -> Value {
    let port = object(&[
        ("name", text()),
        ("port", number(1, 65535)),
        ("protocol", number_or_text()),
    ]);
    let mut spec = object(&[
        ("expectedIPs", list(None, text())),
        ("interfaceName", text()),
        ("node", text()),
        ("ports", list(None, port)),
        ("profiles", list(None, text())),
    ]);
    spec[RULES] = rules(&[
        ("has(self.node) && size(self.node) > 0", "node is needed"),
        (
            "(has(self.interfaceName) && size(self.interfaceName) > 0) || \
             (has(self.expectedIPs) && size(self.expectedIPs) > 0)",
            "interfaceName or expectedIPs is needed",
        ),
    ]);
    spec
}

/// A label selector, without the function that only an entity's `namespaceSelector` has. What is in quotes is
/// no function.
fn selector() -> Value {
    let mut selector = namespaces();
    selector[RULES] = rules(&[(
        r#"!self.matches("^([^'\"]|'[^']*'|\"[^\"]*\")*\\bglobal\\s*\\(")"#,
        "global() is for the namespaceSelector of a rule's source and destination",
    )]);
    selector
}

/// A selector of namespaces in a rule.
fn namespaces() -> Value {
    json!({ "type": "string", "maxLength": 1024 })
}

/// Fields that all policies have.
fn policy() -> Vec<(&'static str, Value)> {
    let mut types = list(Some(2), word(&["Ingress", "Egress"]));
    types["minItems"] = json!(1);
    vec![
        ("egress", list(Some(1024), rule())),
        ("ingress", list(Some(1024), rule())),
        ("order", json!({ "type": "number" })),
        ("performanceHints", list(None, text())),
        ("selector", selector()),
        ("serviceAccountSelector", selector()),
        ("tier", json!({ "type": "string", "default": "default" })),
        ("types", types),
    ]
}

fn global() -> Vec<(&'static str, Value)> {
    let mut fields = policy();
    fields.extend([
        ("applyOnForward", flag()),
        ("doNotTrack", flag()),
        ("namespaceSelector", selector()),
        ("preDNAT", flag()),
    ]);
    fields
}

fn staged(mut fields: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    let actions = ["Set", "Delete", "Learn", "Ignore"];
    fields.push(("stagedAction", word_or(&actions)));
    fields
}

/// Rules about the stages of a policy for hosts.
fn with_stages(fields: &[(&str, Value)]) -> Value {
    let mut spec = object(fields);
    spec[RULES] = rules(&[
        (
            "!(has(self.preDNAT) && self.preDNAT && has(self.doNotTrack) && self.doNotTrack)",
            "preDNAT and doNotTrack exclude each other",
        ),
        (
            "!(has(self.preDNAT) && self.preDNAT) || !has(self.egress) || size(self.egress) == 0",
            "a preDNAT policy has no egress rules",
        ),
        (
            "!(has(self.preDNAT) && self.preDNAT) || !has(self.types) || !('Egress' in self.types)",
            "a preDNAT policy is not of type Egress",
        ),
        (
            "!((has(self.preDNAT) && self.preDNAT) || (has(self.doNotTrack) && self.doNotTrack)) || \
             (has(self.applyOnForward) && self.applyOnForward)",
            "preDNAT and doNotTrack need applyOnForward: true",
        ),
    ]);
    spec
}

fn global_network_policy() -> Value {
    with_stages(&global())
}

fn staged_global_network_policy() -> Value {
    with_stages(&staged(global()))
}

fn network_policy() -> Value {
    object(&policy())
}

fn staged_network_policy() -> Value {
    object(&staged(policy()))
}

fn rule() -> Value {
    let icmp = || object(&[("code", number(0, 255)), ("type", number(0, 254))]);
    let path = object(&[("exact", text()), ("prefix", text())]);
    let http = object(&[
        ("methods", list(Some(20), text())),
        ("paths", list(Some(20), path)),
    ]);
    let annotations = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    object(&[
        ("action", text()),
        ("destination", entity()),
        ("http", http),
        ("icmp", icmp()),
        ("ipVersion", json!({ "type": "integer" })),
        ("metadata", object(&[("annotations", annotations)])),
        ("notICMP", icmp()),
        ("notProtocol", number_or_text()),
        ("protocol", number_or_text()),
        ("source", entity()),
    ])
}

/// One end of a rule.
fn entity() -> Value {
    let accounts = object(&[("names", list(None, text())), ("selector", text())]);
    let services = object(&[("name", text()), ("namespace", text())]);
    object(&[
        ("namespaceSelector", namespaces()),
        ("nets", list(Some(256), text())),
        ("notNets", list(Some(256), text())),
        ("notPorts", list(Some(50), number_or_text())),
        ("notSelector", selector()),
        ("ports", list(Some(50), number_or_text())),
        ("selector", selector()),
        ("serviceAccounts", accounts),
        ("services", services),
    ])
}
