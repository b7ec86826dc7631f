//! Fields of resources as values, and what the kinds of stores share about them.

use serde_json::{Map, Value, json};

use crate::model::Kind;

/// The object in a field, which is made if there is none.
pub fn object_of<'m>(map: &'m mut Map<String, Value>, field: &str) -> &'m mut Map<String, Value> {
    let value = map.entry(field).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made one")
}

/// Whether resources of this kind are stored under a name beside the one that is shown (spec DS-072).
#[must_use]
pub const fn is_policy(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::GlobalNetworkPolicy
            | Kind::StagedGlobalNetworkPolicy
            | Kind::NetworkPolicy
            | Kind::StagedNetworkPolicy
    )
}
