//! Resources as values, and access to their fields.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    model::{Kind, ResourceId},
    store::objects::Object,
};

/// The `apiVersion` of resources as they are shown.
pub(super) const VERSION: &str = "projectcalico.org/v3";

/// A resource as it is shown, and what is wrong with how it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store::kubernetes) struct Shown {
    /// The identity that addresses it in the store.
    pub(in crate::store::kubernetes) id: ResourceId,
    /// The resource in `projectcalico.org/v3`.
    pub(in crate::store::kubernetes) value: Value,
    /// The store's word for its version.
    pub(in crate::store::kubernetes) revision: Arc<str>,
    /// A description of what could not be read. The value then has the metadata that Kubernetes keeps
    /// (spec DS-124).
    pub(in crate::store::kubernetes) fault: Option<String>,
}

impl Shown {
    /// The object, whatever is wrong with its metadata.
    pub(in crate::store::kubernetes) fn into_object(self) -> Object {
        if let Some(fault) = &self.fault {
            log::warn!(
                "{}: {fault}; shown with the metadata that Kubernetes keeps",
                self.id
            );
        }
        Object {
            id: self.id,
            value: self.value,
            revision: self.revision,
        }
    }
}

/// The identity of an object by the name that it is stored under (spec DS-123).
pub(in crate::store::kubernetes) fn identity(kind: Kind, object: &Value) -> Option<ResourceId> {
    let name = text(object, "/metadata/name")?;
    let namespace = text(object, "/metadata/namespace").filter(|_| kind.is_namespaced());
    Some(ResourceId {
        kind,
        namespace: namespace.map(Arc::from),
        name: Arc::from(name),
    })
}

/// A string in a value, unless it is empty.
pub(in crate::store::kubernetes) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// The fields of a value, which is made an object if it is none.
pub(super) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made one")
}

/// The strings of a map in a field; `None` if it holds anything else.
pub(super) fn strings(map: &Map<String, Value>, field: &str) -> Option<Map<String, Value>> {
    match map.get(field) {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(entries)) => {
            let is_text = entries.values().all(Value::is_string);
            is_text.then(|| entries.clone())
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => None,
    }
}
