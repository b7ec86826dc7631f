//! Resources as the verbs show them.

use serde_json::{Map, Value, json};

use crate::{
    model::Kind,
    store::objects::{Listing, Object},
};

/// A thing that `get` shows: one resource, or all of a kind.
#[derive(Debug)]
pub(super) struct Shown {
    /// The kind of the resources.
    pub(super) kind: Kind,
    /// The resources.
    pub(super) items: Vec<Value>,
    /// The revision of the list, if it is one.
    pub(super) list: Option<String>,
}

impl Shown {
    /// One resource.
    pub(super) fn one(object: Object) -> Self {
        Self {
            kind: object.id.kind,
            items: vec![tidy(object.value)],
            list: None,
        }
    }

    /// All of a kind; tiers in their order (spec DS-213).
    pub(super) fn all(kind: Kind, listing: Listing) -> Self {
        let mut items: Vec<Value> = listing
            .objects
            .into_iter()
            .map(|it| tidy(it.value))
            .collect();
        if kind == Kind::Tier {
            let order = |tier: &Value| {
                let order = tier.pointer("/spec/order").and_then(Value::as_f64);
                order.unwrap_or(f64::INFINITY)
            };
            items.sort_by(|one, other| order(one).total_cmp(&order(other)));
        }
        Self {
            kind,
            items,
            list: Some(listing.revision),
        }
    }

    /// The value that is printed (spec DS-210).
    pub(super) fn value(&self) -> Value {
        match (&self.list, &self.items[..]) {
            (None, [item]) => item.clone(),
            (revision, items) => json!({
                "kind": format!("{}List", self.kind),
                "apiVersion": "projectcalico.org/v3",
                "metadata": {"resourceVersion": revision},
                "items": items,
            }),
        }
    }

    /// Leaves out of each resource's metadata what belongs to one store (spec DS-211).
    pub(super) fn export(&mut self) {
        for item in &mut self.items {
            let Some(metadata) = item.get_mut("metadata").and_then(Value::as_object_mut) else {
                continue;
            };
            for field in [
                "namespace",
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            ] {
                metadata.remove(field);
            }
        }
    }
}

/// The resource without nulls, and without the empty ends of rules that some clients store (spec DS-041).
fn tidy(mut value: Value) -> Value {
    let prune = |fields: &mut Map<String, Value>| fields.retain(|_, value| !value.is_null());
    for part in ["metadata", "spec"] {
        if let Some(fields) = value.get_mut(part).and_then(Value::as_object_mut) {
            prune(fields);
        }
    }
    for direction in ["ingress", "egress"] {
        let rules = value
            .get_mut("spec")
            .and_then(|spec| spec.get_mut(direction));
        let rules = rules.and_then(Value::as_array_mut).into_iter().flatten();
        for rule in rules.filter_map(Value::as_object_mut) {
            let is_empty_end = |key: &str, value: &Value| {
                matches!(key, "source" | "destination") && *value == json!({})
            };
            rule.retain(|key, value| !is_empty_end(key, value));
        }
    }
    value
}
