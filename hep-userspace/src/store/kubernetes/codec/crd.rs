//! Metadata in `crd.projectcalico.org/v1`: most of it is JSON in an annotation of the custom resource.

use serde_json::{Map, Value, json};

use super::{
    fields::{fields, strings, text},
    uid,
};
use crate::{
    model::Kind,
    store::objects::{is_policy, object_of},
};

/// The annotation that holds the metadata of the resource.
const METADATA: &str = "projectcalico.org/metadata";
/// The `apiVersion` of resources in references to owners, as stored and as shown.
const OWNERS: (&str, &str) = ("crd.projectcalico.org/v1", "projectcalico.org/v3");

/// The resource of a custom resource, and what of its metadata could not be read (spec DS-120, DS-121,
/// DS-124).
pub(super) fn shown(kind: Kind, mut stored: Value) -> (Value, Option<String>) {
    let tier = text(&stored, "/spec/tier").unwrap_or_default().to_owned();
    let metadata = object_of(fields(&mut stored), "metadata");
    let mut faults = Vec::new();
    if let Some(uid) = metadata.get("uid").and_then(Value::as_str) {
        match uid::converted(uid) {
            Ok(converted) => {
                metadata.insert("uid".to_owned(), converted.into());
            }
            Err(fault) => faults.push(fault),
        }
    }
    let kept = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
        .and_then(|annotations| annotations.remove(METADATA));
    if metadata.get("annotations") == Some(&json!({})) {
        metadata.remove("annotations");
    }
    match kept.as_ref().map(parsed) {
        None => {}
        Some(Ok(kept)) => *metadata = layered(kind, &tier, kept, metadata),
        Some(Err(fault)) => faults.push(format!("annotation {METADATA}: {fault}")),
    }
    let fault = (!faults.is_empty()).then(|| faults.join("; "));
    (stored, fault)
}

/// The metadata in an annotation.
fn parsed(annotation: &Value) -> Result<Map<String, Value>, String> {
    let annotation = annotation.as_str().unwrap_or_default();
    let mut kept: Map<String, Value> =
        serde_json::from_str(annotation).map_err(|error| error.to_string())?;
    for field in ["labels", "annotations"] {
        if strings(&kept, field).is_none() {
            return Err(format!("{field} is no map of strings"));
        }
    }
    let owners = kept
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        // Those of a version that did not convert them have the version that is shown.
        if [OWNERS.0, OWNERS.1].contains(&text(owner, "/apiVersion").unwrap_or_default()) {
            convert_owner(owner, OWNERS.1)?;
        }
    }
    Ok(kept)
}

/// The metadata kept in the annotation, over that of the custom resource.
fn layered(
    kind: Kind,
    tier: &str,
    mut kept: Map<String, Value>,
    metadata: &Map<String, Value>,
) -> Map<String, Value> {
    for field in ["labels", "annotations"] {
        let mut entries = strings(metadata, field).unwrap_or_default();
        entries.extend(strings(&kept, field).unwrap_or_default());
        if entries.is_empty() {
            kept.remove(field);
        } else {
            kept.insert(field.to_owned(), entries.into());
        }
    }
    for field in ["namespace", "resourceVersion", "uid"] {
        match metadata.get(field) {
            Some(value) => kept.insert(field.to_owned(), value.clone()),
            None => kept.remove(field),
        };
    }
    let is_set = |value: Option<&Value>| value.is_some_and(|it| !it.is_null() && *it != "");
    if !is_set(kept.get("creationTimestamp"))
        && let Some(created) = metadata.get("creationTimestamp")
    {
        kept.insert("creationTimestamp".to_owned(), created.clone());
    }
    if !is_set(kept.get("name")) {
        let name = metadata.get("name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let is_default = is_policy(kind) && ["", "default"].contains(&tier);
        let stripped = name.strip_prefix("default.").filter(|_| is_default);
        kept.insert("name".to_owned(), stripped.unwrap_or(name).into());
    }
    kept
}

/// The custom resource of a resource (spec DS-115 to DS-118); finalizers of `current` stay (spec DS-122).
///
/// # Errors
///
/// A uid that is none.
pub(super) fn stored(
    kind: Kind,
    resource: &Value,
    current: Option<&Value>,
) -> Result<Value, String> {
    let mut value = resource.clone();
    let metadata = std::mem::take(object_of(fields(&mut value), "metadata"));
    let mut own = Map::new();
    for field in ["name", "namespace", "resourceVersion"] {
        if let Some(text) = metadata.get(field).filter(|it| !it.is_null() && **it != "") {
            own.insert(field.to_owned(), text.clone());
        }
    }
    if let Some(uid) = metadata.get("uid").and_then(Value::as_str)
        && !uid.is_empty()
    {
        own.insert("uid".to_owned(), uid::converted(uid)?.into());
    }
    let labels = ours(&metadata, "labels");
    if !labels.is_empty() {
        own.insert("labels".to_owned(), labels.into());
    }
    let mut annotations = ours(&metadata, "annotations");
    let kept = Value::from(kept(kind, metadata)?);
    annotations.insert(METADATA.to_owned(), kept.to_string().into());
    own.insert("annotations".to_owned(), annotations.into());
    let finalizers = current.and_then(|it| it.pointer("/metadata/finalizers"));
    if let Some(finalizers) = finalizers.filter(|it| it.as_array().is_some_and(|it| !it.is_empty()))
    {
        own.insert("finalizers".to_owned(), finalizers.clone());
    }
    value["metadata"] = own.into();
    Ok(value)
}

/// The metadata that goes into the annotation.
fn kept(kind: Kind, mut metadata: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for field in ["namespace", "resourceVersion", "uid", "selfLink"] {
        metadata.remove(field);
    }
    if !is_policy(kind) {
        metadata.remove("name");
    }
    let owners = metadata
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut);
    for owner in owners.into_iter().flatten() {
        if text(owner, "/apiVersion") == Some(OWNERS.1) {
            convert_owner(owner, OWNERS.0)?;
        }
    }
    let is_empty = |value: &Value| {
        value.is_null() || *value == json!({}) || *value == json!([]) || *value == json!("")
    };
    metadata.retain(|_, value| !is_empty(value));
    Ok(metadata)
}

/// Gives a reference to an owner another version, and the uid that belongs to it.
fn convert_owner(owner: &mut Value, version: &str) -> Result<(), String> {
    let converted = match text(owner, "/uid") {
        Some(uid) => uid::converted(uid)?,
        None => String::new(),
    };
    owner["apiVersion"] = version.into();
    owner["uid"] = converted.into();
    Ok(())
}

/// The labels or annotations that Calico's components look for on the custom resource too (spec DS-117).
fn ours(metadata: &Map<String, Value>, field: &str) -> Map<String, Value> {
    let is_ours =
        |key: &str| key.contains("projectcalico.org/") || key.contains("operator.tigera.io/");
    let mut entries = strings(metadata, field).unwrap_or_default();
    entries.retain(|key, _| is_ours(key));
    entries
}
