//! An object as a store keeps it.

use std::sync::Arc;

use serde_json::Value;

use crate::model::ResourceId;

/// An object of a store, as Calico's clients show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The identity that addresses it in the store. For policies its name may differ from the one that is
    /// shown, which is the `metadata.name` of the value (spec DS-074, DS-123).
    pub id: ResourceId,
    /// The resource in `projectcalico.org/v3`: `apiVersion`, `kind`, `metadata` with its `resourceVersion`,
    /// `spec` and `status`, with every field that the store has (spec DS-307).
    pub value: Value,
    /// The store's word for its version; opaque (spec DS-048).
    pub revision: Arc<str>,
}

impl Object {
    /// A string in the metadata, such as `uid`; `None` if it is absent, empty, or no string.
    #[must_use]
    pub fn metadata(&self, field: &str) -> Option<&str> {
        let text = self.value.pointer("/metadata")?.get(field)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// The name that is shown: the `metadata.name` of the value.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.metadata("name").unwrap_or(&self.id.name)
    }
}
