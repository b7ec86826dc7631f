//! From documents to resources: objects and lists of them.

use std::cell::RefCell;

use super::{
    cursor::Value,
    endpoint, felix,
    kinds::{self, Kind, Version},
    metadata,
    object::Object,
    place::{Context, Place},
    policy,
    problems::{Problems, shorten},
    simple,
};
use crate::{
    model::{GlobalNetworkSet, HostEndpoint, Metadata, Origin, Policy, Profile, Tier},
    source::{Value as Yaml, YamlNode},
};

/// Most characters of a kind or name that a problem repeats; no valid name is longer.
const MAX_NAME: usize = 256;

/// Kind of resource that others refer to.
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
    /// References to resources, and their places.
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

/// A unit that is being read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    /// Where it is from.
    pub(super) origin: &'r Origin,
    /// Takes the problems.
    pub(super) problems: &'r RefCell<Problems>,
    /// Its sets at the previous reading.
    pub(super) former: &'r [GlobalNetworkSet],
}

/// Input of a resource's decoder besides its `spec`.
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
    // Only sets are long; a rule's list is read item by item.
    let expanded;
    let is_container = matches!(node.value, Yaml::Sequence(_)) || context.kind.ends_with("List");
    let node = if is_container || context.kind.ends_with("NetworkSet") || !node.has_lines() {
        node
    } else {
        expanded = node.clone().expanded();
        &expanded
    };
    let value = Value::root(&context, node);
    if let Yaml::Sequence(list) = &node.value {
        for item in list.items().unwrap_or_default() {
            document(item, reading, collected);
        }
    } else if kind.ends_with("List") && entry("items").is_some() {
        list(&value, &kind, node, reading, collected);
    } else {
        object(&value, &kind, &context.name, collected);
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
    let Some(version) = object.required("apiVersion", "write apiVersion: projectcalico.org/v3")
    else {
        return;
    };
    let Some(text) = version.text() else { return };
    // kubectl wraps what it exports in a list of its own.
    let is_kubectl = kind == "List";
    match Version::of(text) {
        _ if is_kubectl && text == "v1" => {}
        Version::Calico | Version::Stored => {}
        Version::Other if !is_kubectl && !kinds::looks_read(kind) => {
            kinds::notice_other(value, text, kind);
            return;
        }
        Version::Other | Version::Mistyped => kinds::wrong_version(&version),
    }
    let item_kind = kind.strip_suffix("List").unwrap_or_default();
    if !is_kubectl && Kind::of(item_kind).is_none() {
        kinds::unknown_kind(&object);
    }
    if let Some(items) = object.optional("items") {
        let is_list = items.len().is_some() || items.items().is_some();
        if is_list
            && let Yaml::Mapping(entries) = &node.value
            && let Some(entry) = entries.iter().find(|entry| entry.key == "items")
        {
            document(&entry.value, reading, collected);
        }
    }
    object.finish();
}

/// Whether an object is one of a file for `hep test`.
fn is_case(object: &Object<'_>) -> bool {
    !object.has("apiVersion") && !object.has("kind") && object.has("packets") && object.has("id")
}

fn object(value: &Value<'_>, kind: &str, name: &str, collected: &mut Collected) {
    let Some(object) = value.object() else { return };
    if is_case(&object) {
        value.notice(
            "N-CASES",
            "is a case for hep test, and no policy; keep it in a directory of its own",
            "",
        );
        return;
    }
    let version = object.required("apiVersion", "write apiVersion: projectcalico.org/v3");
    let version_text = version.as_ref().and_then(Value::text);
    let version_is = version_text.map_or(Version::Calico, Version::of);
    if version_is == Version::Other && !kind.is_empty() && !kinds::looks_read(kind) {
        kinds::notice_other(value, version_text.unwrap_or_default(), kind);
        return;
    }
    let Some((kind_name, kind)) = Kind::of(kind) else {
        if object.has("kind") {
            kinds::unknown_kind(&object);
        } else {
            object.missing("kind", "write the kind, such as kind: GlobalNetworkPolicy");
        }
        return;
    };
    object.ignore(&["kind"]);
    if let (Some(version), Version::Other | Version::Mistyped) = (&version, version_is) {
        kinds::wrong_version(version);
    }
    if let Kind::Skipped(why) = kind {
        value.notice(
            "N-SKIPPED",
            format!("{kind_name} {name} is skipped: {why}"),
            "",
        );
        return;
    }
    let Some(metadata_value) = object.required("metadata", "write metadata: with name: below it")
    else {
        return;
    };
    let metadata = metadata::read(
        &metadata_value,
        value,
        (kind_name, kind),
        version_is,
        collected,
    );
    let spec_value = object.optional("spec");
    if kind == Kind::Tier {
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
        Kind::GlobalSet => collected.sets.extend(simple::network_set(header, spec)),
        Kind::NamespacedSet => collected.sets.extend(simple::set_nets(header, spec)),
        Kind::Felix => collected.felix.extend(felix::decode(&header, spec)),
        Kind::Skipped(_) => {}
    }
}
