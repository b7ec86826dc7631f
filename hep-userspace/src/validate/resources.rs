//! From documents to resources: kinds, lists, metadata.

use std::{cell::RefCell, collections::BTreeMap, path::Path, sync::Arc};

use super::{
    cursor::{Object, Value, nearest, one_of},
    endpoint, felix, names,
    names::NameRule,
    place::{Context, Place},
    policy,
    problems::{Problems, shorten},
    simple,
};
use crate::{
    model::{GlobalNetworkSet, HostEndpoint, Metadata, Policy, Profile, Tier},
    source::{Value as Yaml, YamlNode},
};

/// The only API version (RS-001).
const API_VERSION: &str = "projectcalico.org/v3";

/// What is done with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    HostEndpoint,
    Profile,
    Policy,
    StagedPolicy,
    Tier,
    NetworkSet,
    Felix,
    /// Accepted, with a warning that says why it has no effect.
    Ignored(&'static str),
    /// Refused, with the reason.
    Unsupported(&'static str, &'static str),
}

const NAMESPACED: &str = "policies of a namespace never apply to hosts";
const NOT_POLICY: &str = "it is not about host policy";
const NODE: &str = "the daemon knows its node's name from its own configuration";

/// Kinds by name (RS-132 to RS-137).
const KINDS: [(&str, Kind); 26] = [
    ("HostEndpoint", Kind::HostEndpoint),
    ("Profile", Kind::Profile),
    ("GlobalNetworkPolicy", Kind::Policy),
    ("StagedGlobalNetworkPolicy", Kind::StagedPolicy),
    ("Tier", Kind::Tier),
    ("GlobalNetworkSet", Kind::NetworkSet),
    ("FelixConfiguration", Kind::Felix),
    ("NetworkPolicy", Kind::Ignored(NAMESPACED)),
    ("StagedNetworkPolicy", Kind::Ignored(NAMESPACED)),
    ("StagedKubernetesNetworkPolicy", Kind::Ignored(NAMESPACED)),
    (
        "NetworkSet",
        Kind::Unsupported(
            "sets of a namespace are not supported, and selectors would miss its addresses",
            "write a GlobalNetworkSet",
        ),
    ),
    (
        "WorkloadEndpoint",
        Kind::Unsupported("workloads are not supported", "write a HostEndpoint"),
    ),
    ("Node", Kind::Ignored(NODE)),
    ("KubeControllersConfiguration", Kind::Ignored(NOT_POLICY)),
    ("IPPool", Kind::Ignored(NOT_POLICY)),
    ("IPReservation", Kind::Ignored(NOT_POLICY)),
    ("BGPConfiguration", Kind::Ignored(NOT_POLICY)),
    ("BGPFilter", Kind::Ignored(NOT_POLICY)),
    ("BGPPeer", Kind::Ignored(NOT_POLICY)),
    ("IPAMBlock", Kind::Ignored(NOT_POLICY)),
    ("IPAMConfig", Kind::Ignored(NOT_POLICY)),
    ("IPAMConfiguration", Kind::Ignored(NOT_POLICY)),
    ("IPAMHandle", Kind::Ignored(NOT_POLICY)),
    ("CalicoNodeStatus", Kind::Ignored(NOT_POLICY)),
    ("ClusterInformation", Kind::Ignored(NOT_POLICY)),
    ("BlockAffinity", Kind::Ignored(NOT_POLICY)),
];

/// Keys of `metadata` that the API server writes (RS-015).
const SERVER_METADATA: [&str; 9] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "selfLink",
];

/// Most characters of a kind or name that a problem repeats; no valid name is longer.
const MAX_NAME: usize = 256;

/// What a resource can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Tier,
    Profile,
}

/// Everything that was found in the files.
#[derive(Clone, Default)]
pub(super) struct Collected {
    pub(super) endpoints: Vec<HostEndpoint>,
    pub(super) profiles: Vec<Profile>,
    pub(super) policies: Vec<Policy>,
    pub(super) tiers: Vec<Tier>,
    pub(super) sets: Vec<GlobalNetworkSet>,
    pub(super) felix: Vec<felix::Settings>,
    /// Every object's kind and name, also of those with problems.
    pub(super) names: Vec<(&'static str, String, Place)>,
    /// What resources name, and where.
    pub(super) references: RefCell<Vec<(Reference, String, Place)>>,
}

impl Collected {
    /// Adds what other files hold.
    pub(super) fn add(&mut self, other: Self) {
        self.endpoints.extend(other.endpoints);
        self.profiles.extend(other.profiles);
        self.policies.extend(other.policies);
        self.tiers.extend(other.tiers);
        self.sets.extend(other.sets);
        self.felix.extend(other.felix);
        self.names.extend(other.names);
        self.references
            .get_mut()
            .extend(other.references.into_inner());
    }
}

/// A file that is being read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    /// Its path.
    pub(super) path: &'r Arc<Path>,
    /// Takes the problems.
    pub(super) problems: &'r RefCell<Problems>,
    /// The sets that it held at the former reading.
    pub(super) former: &'r [GlobalNetworkSet],
}

/// What a resource's decoder gets besides its `spec`.
pub(super) struct Header<'c> {
    pub(super) metadata: Metadata,
    /// `metadata`, to report problems at.
    pub(super) value: &'c Value<'c>,
    references: &'c RefCell<Vec<(Reference, String, Place)>>,
}

impl Header<'_> {
    /// Notes that the resource names another one, which must exist.
    pub(super) fn refer(&self, reference: Reference, name: &str, value: &Value<'_>) {
        self.references
            .borrow_mut()
            .push((reference, name.to_owned(), value.place()));
    }
}

/// Decodes a document: an object, a list of objects, or an object of a `…List` kind (RS-002).
pub(super) fn document(node: &YamlNode<'_>, reading: Reading<'_>, collected: &mut Collected) {
    let entry = |key: &str| match &node.value {
        Yaml::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
        Yaml::Scalar(_) | Yaml::Sequence(_) => None,
    };
    let text = |node: &YamlNode<'_>| match &node.value {
        Yaml::Scalar(scalar) => scalar.text.clone().into_owned(),
        Yaml::Sequence(_) | Yaml::Mapping(_) => String::new(),
    };
    let kind = entry("kind")
        .map(|entry| text(&entry.value))
        .unwrap_or_default();
    let name = match entry("metadata").map(|entry| &entry.value.value) {
        Some(Yaml::Mapping(entries)) => entries
            .iter()
            .find(|entry| entry.key == "name")
            .map(|entry| text(&entry.value))
            .unwrap_or_default(),
        _ => String::new(),
    };
    let shown = |mut text: String| {
        shorten(&mut text, MAX_NAME);
        text
    };
    let context = Context {
        reading,
        kind: shown(kind.clone()),
        name: shown(name),
    };
    let value = Value::root(&context, node);
    if let Yaml::Sequence(list) = &node.value {
        for item in list.items().unwrap_or_default() {
            document(item, reading, collected);
        }
    } else if kind.ends_with("List") && entry("items").is_some() {
        list(&value, &kind, node, reading, collected);
    } else {
        object(&value, &kind, collected);
    }
}

fn list(
    value: &Value<'_>,
    kind: &str,
    node: &YamlNode<'_>,
    reading: Reading<'_>,
    collected: &mut Collected,
) {
    let Some(object) = value.object() else { return };
    object.ignore(&["kind", "metadata"]);
    // kubectl wraps what it exports in a list of its own.
    let is_kubectl = kind == "List";
    if let Some(version) = object.required("apiVersion", "write apiVersion: projectcalico.org/v3")
        && version
            .text()
            .is_some_and(|text| text != API_VERSION && !(is_kubectl && text == "v1"))
    {
        wrong_version(&version);
    }
    let item_kind = kind.strip_suffix("List").unwrap_or_default();
    if !is_kubectl && KINDS.iter().all(|(name, _)| *name != item_kind) {
        unknown_kind(&object);
    }
    if let Some(items) = object.optional("items") {
        let is_list = items.items().is_some();
        if is_list
            && let Yaml::Mapping(entries) = &node.value
            && let Some(entry) = entries.iter().find(|entry| entry.key == "items")
        {
            document(&entry.value, reading, collected);
        }
    }
    object.finish();
}

fn wrong_version(value: &Value<'_>) {
    value.error::<()>(
        "E-KIND",
        "is not a known API version",
        format!("write {API_VERSION}"),
    );
}

fn unknown_kind(object: &Object<'_>) {
    let Some(value) = object.required("kind", "write the kind, such as kind: GlobalNetworkPolicy")
    else {
        return;
    };
    let Some(text) = value.text() else { return };
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let advice = match nearest(text, &names) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", one_of(&names[..7])),
    };
    value.error::<()>("E-KIND", "is not a known kind", advice);
}

fn object(value: &Value<'_>, kind: &str, collected: &mut Collected) {
    let Some(object) = value.object() else { return };
    let version = object.required("apiVersion", "write apiVersion: projectcalico.org/v3");
    let Some((kind_name, kind)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        if object.has("kind") {
            unknown_kind(&object);
        } else {
            object.missing("kind", "write the kind, such as kind: GlobalNetworkPolicy");
        }
        return;
    };
    object.ignore(&["kind"]);
    if let Some(version) = version
        && version.text().is_some_and(|text| text != API_VERSION)
    {
        wrong_version(&version);
    }
    match kind {
        Kind::Ignored(why) => {
            value.warn(
                "W-IGNORED",
                format!("{kind_name} has no effect: {why}"),
                "remove it from here",
            );
            return;
        }
        Kind::Unsupported(why, advice) => {
            value.error::<()>("E-UNSUPPORTED", *why, *advice);
            return;
        }
        Kind::HostEndpoint
        | Kind::Profile
        | Kind::Policy
        | Kind::StagedPolicy
        | Kind::Tier
        | Kind::NetworkSet
        | Kind::Felix => {}
    }
    let Some(metadata_value) = object.required("metadata", "write metadata: with name: below it")
    else {
        return;
    };
    let rule = match kind {
        Kind::Tier => NameRule::Label,
        Kind::Policy | Kind::StagedPolicy => NameRule::Policy,
        Kind::HostEndpoint
        | Kind::Profile
        | Kind::NetworkSet
        | Kind::Felix
        | Kind::Ignored(_)
        | Kind::Unsupported(..) => NameRule::Subdomain,
    };
    let metadata = metadata(&metadata_value, value, rule, kind_name, collected);
    let spec_value = object.optional("spec");
    if *kind == Kind::Tier {
        object.ignore(&["status"]);
    }
    let position = value.position();
    let nothing = YamlNode {
        value: Yaml::Mapping(Vec::new()),
        line: position.line,
        column: position.column,
    };
    let spec = match spec_value {
        Some(spec) => spec.object(),
        None => {
            let spec = value.stand_in("spec", &nothing);
            spec.warn(
                "W-NOSPEC",
                "is missing, so every field has its default",
                "write spec: {}",
            );
            spec.object()
        }
    };
    object.finish();
    // Also without a valid name, so that every problem is told.
    let (Some(metadata), Some(spec)) = (metadata, spec) else {
        return;
    };
    let header = Header {
        metadata,
        value: &metadata_value,
        references: &collected.references,
    };
    match kind {
        Kind::HostEndpoint => collected.endpoints.extend(endpoint::decode(header, spec)),
        Kind::Profile => collected.profiles.extend(simple::profile(header, spec)),
        Kind::Policy => collected
            .policies
            .extend(policy::decode(header, spec, false)),
        Kind::StagedPolicy => collected
            .policies
            .extend(policy::decode(header, spec, true)),
        Kind::Tier => collected.tiers.extend(simple::tier(header, spec)),
        Kind::NetworkSet => collected.sets.extend(simple::network_set(header, spec)),
        Kind::Felix => collected.felix.extend(felix::decode(&header, spec)),
        Kind::Ignored(_) | Kind::Unsupported(..) => {}
    }
}

fn metadata(
    value: &Value<'_>,
    document: &Value<'_>,
    rule: NameRule,
    kind: &'static str,
    collected: &mut Collected,
) -> Option<Metadata> {
    let object = value.object()?;
    // A name with a mistake has been reported; the rest of the resource is still looked at.
    let name = object
        .required("name", "write the resource's name")
        .map(|name| {
            if rule.read(&name).is_some() {
                let text = name.text().unwrap_or_default().to_owned();
                collected.names.push((kind, text, name.place()));
            }
            name.scalar().map_or("", |scalar| &*scalar.text)
        });
    let labels = object.read_or("labels", BTreeMap::new(), names::labels);
    let annotations = object.read_or("annotations", BTreeMap::new(), names::annotations);
    if let Some(namespace) = object.optional("namespace") {
        namespace.error::<()>(
            "E-SYNTAX",
            format!("a {kind} has no namespace"),
            "remove it",
        );
    }
    object.ignore(&SERVER_METADATA);
    object.finish();
    Some(Metadata {
        name: Arc::from(name.unwrap_or_default()),
        labels: labels.unwrap_or_default(),
        annotations: annotations.unwrap_or_default(),
        position: document.position(),
    })
}
