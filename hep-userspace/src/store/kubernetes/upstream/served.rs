//! Whether a kind is still there, before its deletions are believed (spec DS-144, DS-318).

use hyper::StatusCode;
use serde_json::Value;

use super::{
    super::{
        connection::Connection,
        failure::Failure,
        group::{ApiGroup, Backing},
        request::Request,
    },
    loss::lost,
};
use crate::{model::Kind, store::follow::upstream::Loss};

/// The path of definitions.
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Whether a kind is served and not being deleted: by its definition, or where that may not be read by
/// discovery, which loses the verb `create` then.
pub(super) async fn is_served(
    connection: &Connection,
    group: ApiGroup,
    kind: Kind,
) -> Result<bool, Loss> {
    if Backing::of(kind) != Backing::Custom {
        return Ok(true);
    }
    let name = format!("{}.{}", kind.plural(), group.name());
    let definition = Request::get(format!("{DEFINITIONS}/{name}"));
    match connection.json(&definition).await {
        Ok(definition) => return Ok(is_kept(&definition)),
        Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
            return Ok(false);
        }
        Err(Failure::Refused(refusal)) if refusal.status == StatusCode::FORBIDDEN => {}
        Err(failure) => return Err(lost(failure, None)),
    }
    let discovery = Request::get(format!("/apis/{}", group.version()));
    match connection.json(&discovery).await {
        Ok(resources) => Ok(has_create(&resources, kind)),
        Err(Failure::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(false),
        Err(failure) => Err(lost(failure, None)),
    }
}

/// Whether a definition is served and not being deleted.
fn is_kept(definition: &Value) -> bool {
    let is_going = definition.pointer("/metadata/deletionTimestamp").is_some();
    let conditions = definition
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let has = |class: &str| {
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|it| it["type"] == class && it["status"] == "True")
    };
    !is_going && !has("Terminating") && has("Established")
}

/// Whether discovery offers to create objects of a kind.
fn has_create(resources: &Value, kind: Kind) -> bool {
    let resources = resources.get("resources").and_then(Value::as_array);
    let found = resources
        .into_iter()
        .flatten()
        .find(|it| it["name"] == kind.plural());
    let verbs = found.and_then(|it| it.get("verbs")?.as_array());
    verbs.into_iter().flatten().any(|verb| verb == "create")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Spec DS-318.
    #[test]
    fn a_definition_that_is_being_deleted_is_not_served() {
        let condition = |class: &str| json!({"type": class, "status": "True"});
        let kept = json!({"metadata": {}, "status": {"conditions": [condition("Established")]}});
        assert!(is_kept(&kept));
        let mut going = kept.clone();
        going["metadata"]["deletionTimestamp"] = "2026-08-22T10:00:00Z".into();
        assert!(!is_kept(&going));
        let conditions = [condition("Established"), condition("Terminating")];
        assert!(!is_kept(
            &json!({"metadata": {}, "status": {"conditions": conditions}})
        ));
        let found = |verbs: Value| {
            has_create(
                &json!({"resources": [{"name": "tiers", "verbs": verbs}]}),
                Kind::Tier,
            )
        };
        assert!(found(json!(["get", "create"])));
        assert!(!found(json!(["get", "list"])));
        assert!(!has_create(&json!({"resources": []}), Kind::Tier));
    }
}
