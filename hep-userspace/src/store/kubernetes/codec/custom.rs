//! Custom resources of either group.

use std::sync::Arc;

use serde_json::Value;

use super::{
    super::group::ApiGroup,
    crd,
    fields::{Shown, VERSION, fields, identity, text},
    uid,
};
use crate::{
    model::Kind,
    store::objects::{is_policy, object_of},
};

/// The label that repeats a policy's tier.
const TIER: &str = "projectcalico.org/tier";

/// The resource of a custom resource; `None` if it has no name.
pub(in crate::store::kubernetes) fn shown(
    group: ApiGroup,
    kind: Kind,
    stored: Value,
) -> Option<Shown> {
    let id = identity(kind, &stored)?;
    let revision = text(&stored, "/metadata/resourceVersion").unwrap_or_default();
    let revision = Arc::from(revision);
    let (mut value, fault) = match group {
        ApiGroup::Crd => crd::shown(kind, stored),
        ApiGroup::Native => (stored, None),
    };
    name_type(&mut value, kind);
    if is_policy(kind) {
        let labels = object_of(object_of(fields(&mut value), "metadata"), "labels");
        labels.entry(TIER).or_insert_with(|| "default".into());
    }
    Some(Shown {
        id,
        value,
        revision,
        fault,
    })
}

/// The custom resource of a resource. `current` is what is stored now, if anything: what Calico's resources
/// do not show of it stays (spec DS-122).
///
/// # Errors
///
/// What is wrong with its metadata.
pub(in crate::store::kubernetes) fn stored(
    group: ApiGroup,
    kind: Kind,
    resource: &Value,
    current: Option<&Value>,
) -> Result<Value, String> {
    let mut value = match group {
        ApiGroup::Crd => crd::stored(kind, resource, current)?,
        ApiGroup::Native => resource.clone(),
    };
    let map = fields(&mut value);
    map.insert("apiVersion".to_owned(), group.version().into());
    map.insert("kind".to_owned(), kind.name().into());
    Ok(value)
}

/// The uid that addresses a custom resource, of the uid that is shown.
///
/// # Errors
///
/// A text that is no uid.
pub(in crate::store::kubernetes) fn stored_uid(
    group: ApiGroup,
    uid: &str,
) -> Result<String, String> {
    match group {
        ApiGroup::Crd => uid::converted(uid),
        ApiGroup::Native => Ok(uid.to_owned()),
    }
}

/// Gives a value the type that it is shown with.
fn name_type(value: &mut Value, kind: Kind) {
    let map = fields(value);
    map.insert("apiVersion".to_owned(), VERSION.into());
    map.insert("kind".to_owned(), kind.name().into());
}

#[cfg(test)]
mod tests;
