//! Shapes of resources: their fields and the types of them, as Calico's API has them.

use crate::model::Kind;

use Shape::{Any, List, Number, Object, Port, Protocol, Text, Texts, Truth, Whole};

/// A field's name and shape.
pub type Field = (&'static str, Shape);

/// Shape of a value.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A text.
    Text,
    /// A truth value.
    Truth,
    /// A number.
    Number,
    /// A whole number.
    Whole,
    /// A port, a range of ports or the name of a port.
    Port,
    /// A protocol's name or number.
    Protocol,
    /// Texts by name.
    Texts,
    /// Items of one shape.
    List(&'static Shape),
    /// Fields of their own.
    Object(&'static [Field]),
    /// Whatever is there, types as they are written.
    Any,
}

const TEXTS: Shape = List(&Text);
const PORTS: Shape = List(&Port);
const RULES: Shape = List(&Object(RULE));
const ICMP: &[Field] = &[("type", Whole), ("code", Whole)];

const ENTITY: &[Field] = &[
    ("nets", TEXTS),
    ("selector", Text),
    ("namespaceSelector", Text),
    ("services", Object(&[("name", Text), ("namespace", Text)])),
    ("ports", PORTS),
    ("notNets", TEXTS),
    ("notSelector", Text),
    ("notPorts", PORTS),
    (
        "serviceAccounts",
        Object(&[("names", TEXTS), ("selector", Text)]),
    ),
];

const HTTP: &[Field] = &[
    ("methods", TEXTS),
    ("paths", List(&Object(&[("exact", Text), ("prefix", Text)]))),
];

const RULE: &[Field] = &[
    ("action", Text),
    ("ipVersion", Whole),
    ("protocol", Protocol),
    ("icmp", Object(ICMP)),
    ("notProtocol", Protocol),
    ("notICMP", Object(ICMP)),
    ("source", Object(ENTITY)),
    ("destination", Object(ENTITY)),
    ("http", Object(HTTP)),
    ("metadata", Object(&[("annotations", Texts)])),
];

const POLICY: &[Field] = &[
    ("tier", Text),
    ("order", Number),
    ("ingress", RULES),
    ("egress", RULES),
    ("selector", Text),
    ("types", TEXTS),
    ("doNotTrack", Truth),
    ("preDNAT", Truth),
    ("applyOnForward", Truth),
    ("serviceAccountSelector", Text),
    ("namespaceSelector", Text),
    ("performanceHints", TEXTS),
];

const STAGED: &[Field] = &[
    ("stagedAction", Text),
    ("tier", Text),
    ("order", Number),
    ("ingress", RULES),
    ("egress", RULES),
    ("selector", Text),
    ("types", TEXTS),
    ("doNotTrack", Truth),
    ("preDNAT", Truth),
    ("applyOnForward", Truth),
    ("serviceAccountSelector", Text),
    ("namespaceSelector", Text),
    ("performanceHints", TEXTS),
];

const NAMESPACED: &[Field] = &[
    ("tier", Text),
    ("order", Number),
    ("ingress", RULES),
    ("egress", RULES),
    ("selector", Text),
    ("types", TEXTS),
    ("serviceAccountSelector", Text),
    ("performanceHints", TEXTS),
];

const ENDPOINT_PORT: &[Field] = &[("name", Text), ("protocol", Protocol), ("port", Whole)];

const ENDPOINT: &[Field] = &[
    ("node", Text),
    ("interfaceName", Text),
    ("expectedIPs", TEXTS),
    ("profiles", TEXTS),
    ("ports", List(&Object(ENDPOINT_PORT))),
];

const PROFILE: &[Field] = &[
    ("ingress", RULES),
    ("egress", RULES),
    ("labelsToApply", Texts),
];
const TIER: &[Field] = &[("order", Number), ("defaultAction", Text)];
const SET: &[Field] = &[("nets", TEXTS)];

const CLUSTER: &[Field] = &[
    ("clusterGUID", Text),
    ("clusterType", Text),
    ("calicoVersion", Text),
    ("datastoreReady", Truth),
    ("variant", Text),
];

const METADATA: &[Field] = &[
    ("name", Text),
    ("generateName", Text),
    ("namespace", Text),
    ("selfLink", Text),
    ("uid", Text),
    ("resourceVersion", Text),
    ("generation", Whole),
    ("creationTimestamp", Text),
    ("deletionTimestamp", Text),
    ("deletionGracePeriodSeconds", Whole),
    ("labels", Texts),
    ("annotations", Texts),
    ("ownerReferences", Any),
    ("finalizers", TEXTS),
    ("managedFields", Any),
];

macro_rules! resource {
    ($spec:expr) => {
        &[
            ("apiVersion", Text),
            ("kind", Text),
            ("metadata", Object(METADATA)),
            ("spec", $spec),
            ("status", Any),
        ]
    };
}

/// The shape of resources of a kind.
#[must_use]
pub fn of_kind(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::HostEndpoint => resource!(Object(ENDPOINT)),
        Kind::GlobalNetworkPolicy => resource!(Object(POLICY)),
        Kind::StagedGlobalNetworkPolicy => resource!(Object(STAGED)),
        Kind::NetworkPolicy => resource!(Object(NAMESPACED)),
        Kind::Profile => resource!(Object(PROFILE)),
        Kind::Tier => resource!(Object(TIER)),
        Kind::GlobalNetworkSet | Kind::NetworkSet => resource!(Object(SET)),
        Kind::ClusterInformation => resource!(Object(CLUSTER)),
        Kind::FelixConfiguration
        | Kind::StagedNetworkPolicy
        | Kind::StagedKubernetesNetworkPolicy
        | Kind::WorkloadEndpoint
        | Kind::Node
        | Kind::KubeControllersConfiguration
        | Kind::IPPool
        | Kind::IPReservation
        | Kind::BGPConfiguration
        | Kind::BGPFilter
        | Kind::BGPPeer
        | Kind::IPAMBlock
        | Kind::IPAMConfig
        | Kind::IPAMConfiguration
        | Kind::IPAMHandle
        | Kind::CalicoNodeStatus
        | Kind::BlockAffinity
        | Kind::RemoteClusterConfiguration
        | Kind::LiveMigration => resource!(Any),
    }
}
