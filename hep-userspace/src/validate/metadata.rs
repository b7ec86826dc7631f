//! `metadata` of a resource, as users write it and as Calico keeps it in Kubernetes (RS-008 to RS-016,
//! RS-305, RS-308).

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::{
    Code,
    collected::Collected,
    cursor::Value,
    names::{self, NameRule},
    namespaced::NAMESPACE,
    object::Object,
    version::Version,
};
use crate::model::{Kind, Metadata, ResourceId};

/// Annotation in which Calico keeps the metadata of what is in Kubernetes.
const KEPT: &str = "projectcalico.org/metadata";
/// Namespace of what names none.
const DEFAULT_NAMESPACE: &str = "default";

/// Type of a key of Kubernetes' metadata that has no meaning here (RS-015, RS-305).
#[derive(Clone, Copy)]
enum Ignored {
    Scalar,
    Number,
    List,
}

/// Keys of `metadata` that clients and the API server write (RS-015, RS-305).
const OTHER_METADATA: [(&str, Ignored); 11] = [
    ("uid", Ignored::Scalar),
    ("resourceVersion", Ignored::Scalar),
    ("creationTimestamp", Ignored::Scalar),
    ("deletionTimestamp", Ignored::Scalar),
    ("selfLink", Ignored::Scalar),
    ("generateName", Ignored::Scalar),
    ("generation", Ignored::Number),
    ("deletionGracePeriodSeconds", Ignored::Number),
    ("managedFields", Ignored::List),
    ("ownerReferences", Ignored::List),
    ("finalizers", Ignored::List),
];

/// Content of the annotation.
#[derive(Deserialize, Default)]
struct Kept {
    name: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// Reads the metadata of `document`, and notes its name.
pub(super) fn read(
    value: &Value<'_>,
    document: &Value<'_>,
    (kind, rule): (Kind, NameRule),
    version: Version,
    collected: &mut Collected,
) -> Option<Metadata> {
    let object = value.object()?;
    let name_value = match value.is_stored() {
        true => object.optional("name"),
        false => object.required("name", "write the resource's name"),
    };
    let labels = object.read_or("labels", BTreeMap::new(), names::labels);
    let annotations = object.read_or("annotations", BTreeMap::new(), names::annotations);
    let namespace = namespace(&object, kind);
    ignore_others(&object);
    object.finish();
    // Policies had longer names in earlier versions (DS-075, DS-076).
    let is_old = value.is_stored() && rule == NameRule::Policy;
    let rule = if is_old { NameRule::Subdomain } else { rule };
    // A name with a mistake has been reported; the rest of the resource is still looked at.
    let valid_name = name_value.as_ref().and_then(|name| rule.read(name));
    let key = key_name(value);
    let mut metadata = Metadata {
        name: Arc::from(match key {
            Some(key) if !is_policy(kind) => key,
            key => valid_name.or(key).unwrap_or_default(),
        }),
        labels: labels.unwrap_or_default(),
        annotations: annotations.unwrap_or_default(),
        position: document.position(),
    };
    match version {
        Version::Stored => put_back(&mut metadata, (kind, rule), value),
        Version::Calico | Version::Mistyped | Version::Other => warn_kept(&metadata, value),
    }
    let id = ResourceId {
        kind,
        namespace: kind.is_namespaced().then(|| Arc::from(namespace.as_str())),
        name: Arc::clone(&metadata.name),
    };
    if matches!(kind, Kind::NetworkSet | Kind::WorkloadEndpoint) {
        metadata.name = id.full_name();
        let label = NAMESPACE.marker.to_owned();
        metadata.labels.insert(label, namespace);
    }
    if let Some(name_value) = name_value.filter(|_| valid_name.is_some()) {
        collected.names.push((id, name_value.place()));
    } else if key.is_some() {
        collected.names.push((id, value.place()));
    }
    Some(metadata)
}

/// Checks the form of the keys that have no meaning here; in a store, whatever it is.
fn ignore_others(object: &Object<'_>) {
    for (key, holds) in OTHER_METADATA {
        object.read(key, |value| match holds {
            _ if value.is_stored() => Some(()),
            Ignored::Scalar => value.a_scalar(),
            Ignored::Number => value.number().map(drop),
            Ignored::List => value.items().map(drop),
        });
    }
}

/// The name of the key of an object of a store. It is the object's identity (DS-074, DS-242 to DS-245);
/// only policies show another one.
fn key_name<'n>(value: &Value<'n>) -> Option<&'n str> {
    let origin = value.context.input.origin;
    origin.object_name().filter(|_| value.is_stored())
}

/// Whether objects of this kind may show another name than that of their key (DS-072).
const fn is_policy(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::GlobalNetworkPolicy | Kind::StagedGlobalNetworkPolicy
    )
}

/// The namespace of a kind that has one; an error for others (RS-016).
fn namespace(object: &Object<'_>, kind: Kind) -> String {
    let given = object.optional("namespace");
    let text = given.as_ref().and_then(Value::scalar);
    let text = text.map_or("", |scalar| &*scalar.text);
    if let Some(value) = given.filter(|value| value.scalar().is_none() || !text.is_empty()) {
        if kind.is_namespaced() {
            names::NameRule::Label.read(&value);
        } else if !value.is_stored() {
            value.error::<()>(
                Code::Syntax,
                format!("a {kind} has no namespace"),
                "remove the namespace, and select by labels instead",
            );
        }
    }
    if text.is_empty() {
        DEFAULT_NAMESPACE
    } else {
        text
    }
    .to_owned()
}

/// Restores metadata from the annotation; values beside it count only where it has none.
fn put_back(metadata: &mut Metadata, (kind, rule): (Kind, NameRule), value: &Value<'_>) {
    let Some(text) = metadata.annotations.remove(KEPT) else {
        return;
    };
    let Ok(kept) = serde_json::from_str::<Kept>(&text) else {
        value.error::<()>(
            Code::Label,
            format!("annotation {KEPT} is not the JSON of metadata"),
            "export the object again, with calicoctl get -o yaml",
        );
        return;
    };
    let labels = kept.labels.unwrap_or_default();
    names::check_kept(&labels, value);
    metadata.labels.extend(labels);
    metadata
        .annotations
        .extend(kept.annotations.unwrap_or_default());
    let stored = metadata.name.strip_prefix("default.");
    let stored = stored.filter(|_| is_policy(kind));
    if let Some(name) = kept
        .name
        .as_deref()
        .filter(|name| !name.is_empty())
        .or(stored)
    {
        match rule.check(name) {
            Ok(()) => metadata.name = Arc::from(name),
            Err(advice) => {
                value.error::<()>(
                    Code::Name,
                    format!("annotation {KEPT} has the name {name}"),
                    advice,
                );
            }
        }
    }
}

/// An object of Calico's own version whose labels are only in the annotation was exported in the
/// other version and given this one by hand.
fn warn_kept(metadata: &Metadata, value: &Value<'_>) {
    let text = metadata.annotations.get(KEPT);
    let Some(text) = text.filter(|_| !value.is_stored()) else {
        return;
    };
    let labels = serde_json::from_str::<Kept>(text)
        .ok()
        .and_then(|kept| kept.labels);
    let labels = labels.unwrap_or_default();
    let missing: Vec<&str> = labels
        .iter()
        .filter(|(key, value)| metadata.labels.get(*key) != Some(value))
        .map(|(key, _)| key.as_str())
        .collect();
    if !missing.is_empty() {
        value.warn(
            Code::KeptMetadata,
            format!(
                "annotation {KEPT} has labels that metadata.labels lacks: {}",
                missing.join(", ")
            ),
            "write apiVersion: crd.projectcalico.org/v1 if the object was exported so, or write the labels \
             in metadata.labels",
        );
    }
}
