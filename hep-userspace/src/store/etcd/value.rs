//! Values of etcd, and the resources that Calico's clients show of them.

use serde_json::{Map, Value, json};

use crate::{
    model::{Kind, ResourceId},
    store::objects::{is_policy, object_of},
};

/// The annotation that has a policy's name as the user gave it (spec DS-072).
const METADATA: &str = "projectcalico.org/metadata";
/// The label of policies that names their tier.
const TIER: &str = "projectcalico.org/tier";
/// The tier of policies that name none.
const DEFAULT: &str = "default";

/// The value that a resource is stored as: `resourceVersion` and `selfLink` left out, and of policies the
/// name in an annotation (spec DS-035, DS-037, DS-072).
pub(super) fn stored(kind: Kind, resource: &Value) -> Value {
    let mut value = resource.clone();
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return value;
    };
    metadata.remove("resourceVersion");
    metadata.remove("selfLink");
    if is_policy(kind) {
        let name = metadata.get("name").cloned().unwrap_or_default();
        let text = json!({ "name": name }).to_string();
        object_of(metadata, "annotations").insert(METADATA.to_owned(), text.into());
    }
    if matches!(kind, Kind::Tier | Kind::Node) && value.get("status").is_none() {
        value["status"] = json!({});
    }
    value
}

/// The resource that a value is shown as, at a revision.
///
/// # Errors
///
/// What is wrong with a value that is no resource of this kind.
pub(super) fn shown(id: &ResourceId, text: &[u8], revision: i64) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let Some(resource) = value.as_object_mut() else {
        return Err("the value is no JSON object".to_owned());
    };
    let metadata = object_of(resource, "metadata");
    let revision = revision.to_string();
    metadata.insert("resourceVersion".to_owned(), revision.into());
    if metadata.get("creationTimestamp") == Some(&Value::Null) {
        metadata.remove("creationTimestamp");
    }
    if is_policy(id.kind) {
        show_policy(resource);
    }
    Ok(value)
}

/// Gives a policy the name that is shown, and its tier's label (spec DS-072, DS-073, DS-080).
fn show_policy(policy: &mut Map<String, Value>) {
    let tier = policy.get("spec").and_then(|spec| spec.get("tier"));
    let is_default = tier
        .and_then(Value::as_str)
        .is_none_or(|tier| tier.is_empty() || tier == DEFAULT);
    let metadata = object_of(policy, "metadata");
    let named = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
        .and_then(|annotations| annotations.remove(METADATA));
    if metadata.get("annotations") == Some(&json!({})) {
        metadata.remove("annotations");
    }
    let named = named.as_ref().and_then(Value::as_str).and_then(|text| {
        let named: Value = serde_json::from_str(text).ok()?;
        Some(named.get("name")?.as_str()?.to_owned()).filter(|name| !name.is_empty())
    });
    let stored = metadata.get("name").and_then(Value::as_str);
    let stripped = || {
        let name = stored.filter(|_| is_default)?;
        Some(name.strip_prefix("default.")?.to_owned())
    };
    if let Some(name) = named.or_else(stripped) {
        metadata.insert("name".to_owned(), name.into());
    }
    let labels = object_of(metadata, "labels");
    labels.entry(TIER).or_insert_with(|| DEFAULT.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_name(stored: &Value) -> (String, String) {
        let id = ResourceId::global(Kind::GlobalNetworkPolicy, "default.foo");
        let value = shown(&id, stored.to_string().as_bytes(), 7).expect("it is an object");
        assert_eq!(value["metadata"]["resourceVersion"], "7");
        assert_eq!(value["metadata"].get("annotations"), None);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&value["metadata"]["name"]),
            text(&value["metadata"]["labels"][TIER]),
        )
    }

    /// Spec DS-073, DS-075, EX-04, EX-05, EX-07.
    #[test]
    fn a_policy_is_shown_by_the_name_that_its_user_gave() {
        let stored = |name: &str, annotation: Option<&str>, tier: Option<&str>| {
            let mut value = json!({"metadata": {"name": name}, "spec": {}});
            if let Some(text) = annotation {
                value["metadata"]["annotations"] = json!({ METADATA: text });
            }
            if let Some(tier) = tier {
                value["spec"]["tier"] = tier.into();
                value["metadata"]["labels"] = json!({ TIER: tier });
            }
            shown_name(&value)
        };
        let pair = |name: &str, tier: &str| (name.to_owned(), tier.to_owned());
        for (found, wanted) in [
            (stored("default.foo", None, None), pair("foo", "default")),
            (
                stored("default.foo", Some(r#"{"name":"foo"}"#), Some("default")),
                pair("foo", "default"),
            ),
            (
                stored("default.foo", Some(r#"{"name":"default.foo"}"#), None),
                pair("default.foo", "default"),
            ),
            (
                stored("default.foo", None, Some("sec")),
                pair("default.foo", "sec"),
            ),
            (stored("foo", Some("{"), None), pair("foo", "default")),
        ] {
            assert_eq!(found, wanted);
        }
    }

    /// Spec DS-037, DS-042, DS-072, EX-02.
    #[test]
    fn what_is_stored_is_what_calico_stores() {
        let policy = json!({
            "kind": "GlobalNetworkPolicy",
            "metadata": {"name": "ssh", "resourceVersion": "9", "selfLink": "x", "labels": {"a": "b"}},
        });
        let value = stored(Kind::GlobalNetworkPolicy, &policy);
        let metadata = json!({
            "name": "ssh", "labels": {"a": "b"}, "annotations": {METADATA: r#"{"name":"ssh"}"#},
        });
        assert_eq!(value["metadata"], metadata);
        assert_eq!(value.get("status"), None);
        let tier = stored(Kind::Tier, &json!({"metadata": {"name": "t"}, "spec": {}}));
        assert_eq!(tier["status"], json!({}));
    }
}
