//! Changes of resources that are there: replace, apply, patch and label (spec DS-177, DS-178, DS-191 to
//! DS-194, DS-307).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Resources,
    access::id_of,
    checks::metadata,
    shape::{self, Field, Shape},
};
use crate::{
    model::{Kind, ResourceId},
    store::objects::{ClientError, Object, object_of},
};

/// How often a conflict is tried again, and the pause before.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

impl Resources<'_> {
    /// Creates a resource, or replaces the one that is there.
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::Invalid`].
    pub async fn apply(&self, kind: Kind, resource: &Value) -> Result<Object, ClientError> {
        let mut new = resource.clone();
        if let Some(fields) = new.as_object_mut() {
            object_of(fields, "metadata").remove("resourceVersion");
        }
        match self.create(kind, &new).await {
            Err(ClientError::AlreadyExists { .. } | ClientError::NotSupported { .. }) => {
                self.replace(kind, resource).await
            }
            created => created,
        }
    }

    /// Replaces a resource that is there. With a revision it must still be that one; without, a conflict is
    /// tried again.
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::Invalid`].
    pub async fn replace(&self, kind: Kind, resource: &Value) -> Result<Object, ClientError> {
        let id = id_of(kind, resource);
        let wanted = metadata(resource, "resourceVersion");
        for attempt in 1.. {
            let latest = self.get(&id, None).await?;
            if wanted.is_some_and(|wanted| wanted != &*latest.revision) {
                return Err(ClientError::Conflict(id));
            }
            let updated = self
                .update(kind, &over(kind, &latest.value, resource))
                .await;
            match updated {
                Err(ClientError::Conflict(_)) if wanted.is_none() && attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                updated => return updated,
            }
        }
        Err(ClientError::Conflict(id))
    }

    /// Changes a resource that is there, once.
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::Invalid`].
    pub async fn change(
        &self,
        id: &ResourceId,
        change: impl FnOnce(&Value) -> Value,
    ) -> Result<Object, ClientError> {
        let latest = self.get(id, None).await?;
        if latest.shown_name() != &*latest.id.name {
            return Err(under_older_name(&latest));
        }
        let mut value = change(&latest.value);
        if let Some(fields) = value.as_object_mut() {
            let metadata = object_of(fields, "metadata");
            metadata.insert("resourceVersion".to_owned(), json!(&*latest.revision));
        }
        self.update(id.kind, &value).await
    }
}

/// The error for a policy that an older Calico stored under another name (spec DS-078).
fn under_older_name(object: &Object) -> ClientError {
    ClientError::NotSupported {
        operation: "Update".to_owned(),
        on: format!("{}({})", object.id.kind, object.id.name),
        reason: format!(
            "an older Calico stored policy {} under this name; run `hep datastore migrate \
             migrate-policy-names` first",
            object.shown_name()
        ),
    }
}

/// The resource with the metadata of the one that is there, but for labels and annotations, and with those of
/// its fields that hep does not know.
fn over(kind: Kind, latest: &Value, resource: &Value) -> Value {
    let mut new = resource.clone();
    let (Some(fields), Some(old)) = (new.as_object_mut(), latest.as_object()) else {
        return new;
    };
    let given = object_of(fields, "metadata").clone();
    let mut metadata = old
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for field in ["labels", "annotations"] {
        match given.get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
    fields.insert("metadata".to_owned(), Value::Object(metadata));
    if let Some(status) = old.get("status") {
        fields.insert("status".to_owned(), status.clone());
    }
    keep_unknown(old, fields, shape::of_kind(kind));
    new
}

/// Copies fields that are in none of the shapes, also those of objects in objects.
fn keep_unknown(old: &Map<String, Value>, new: &mut Map<String, Value>, shape: &[Field]) {
    for (key, value) in old {
        match shape.iter().find(|(name, _)| name == key) {
            None => {
                new.entry(key.clone()).or_insert_with(|| value.clone());
            }
            Some((_, Shape::Object(inner))) => {
                if let (Some(old), Some(Value::Object(new))) = (value.as_object(), new.get_mut(key))
                {
                    keep_unknown(old, new, inner);
                }
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-192, DS-194, DS-307.
    #[test]
    fn what_a_file_does_not_say_is_removed_but_for_what_hep_does_not_know() {
        let latest = json!({
            "kind": "Tier", "metadata": {"name": "t", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"}},
            "spec": {"order": 1, "defaultAction": "Pass", "future": {"x": 1}}, "status": {"y": 2}, "new": 3,
        });
        let file = json!({"kind": "Tier", "metadata": {"name": "t"}, "spec": {"order": 2}});
        assert_eq!(
            over(Kind::Tier, &latest, &file),
            json!({
                "kind": "Tier", "metadata": {"name": "t", "uid": "u", "resourceVersion": "7"},
                "spec": {"order": 2, "future": {"x": 1}}, "status": {"y": 2}, "new": 3,
            })
        );
    }
}
