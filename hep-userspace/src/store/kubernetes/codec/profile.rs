//! Profiles that are computed from namespaces and service accounts (spec DS-157 to DS-159).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    fields::{Shown, VERSION, text},
    uid,
};
use crate::model::{Kind, ResourceId};

/// The object that a profile is computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::kubernetes) enum Origin<'n> {
    Namespace(&'n str),
    ServiceAccount { namespace: &'n str, name: &'n str },
}

/// The origin of a profile, by its name; `None` for any other profile.
pub(in crate::store::kubernetes) fn origin(profile: &str) -> Option<Origin<'_>> {
    if let Some(namespace) = profile.strip_prefix("kns.") {
        return Some(Origin::Namespace(namespace));
    }
    let (namespace, name) = profile.strip_prefix("ksa.")?.split_once('.')?;
    Some(Origin::ServiceAccount { namespace, name })
}

/// The name of a namespace's profile.
pub(in crate::store::kubernetes) fn name_of_namespace(namespace: &str) -> String {
    format!("kns.{namespace}")
}

/// The name of a service account's profile.
pub(in crate::store::kubernetes) fn name_of_service_account(namespace: &str, name: &str) -> String {
    format!("ksa.{namespace}.{name}")
}

/// The revision of profiles from both: either may be empty.
pub(in crate::store::kubernetes) fn joined(namespaces: &str, service_accounts: &str) -> String {
    format!("{namespaces}/{service_accounts}")
}

/// The profile of a namespace: allows both directions; `None` if it has no name.
pub(in crate::store::kubernetes) fn of_namespace(namespace: &Value) -> Option<Shown> {
    let name = text(namespace, "/metadata/name")?;
    let spec = json!({
        "ingress": [{"action": "Allow"}],
        "egress": [{"action": "Allow"}],
        "labelsToApply": labels(namespace, "pcns.", name),
    });
    let revision = text(namespace, "/metadata/resourceVersion").unwrap_or_default();
    let revision = joined(revision, "");
    Some(profile(namespace, name_of_namespace(name), revision, spec))
}

/// The profile of a service account: without rules; `None` if it has no name.
pub(in crate::store::kubernetes) fn of_service_account(account: &Value) -> Option<Shown> {
    let name = text(account, "/metadata/name")?;
    let namespace = text(account, "/metadata/namespace")?;
    let spec = json!({ "labelsToApply": labels(account, "pcsa.", name) });
    let revision = text(account, "/metadata/resourceVersion").unwrap_or_default();
    let revision = joined("", revision);
    let name = name_of_service_account(namespace, name);
    Some(profile(account, name, revision, spec))
}

/// The labels of an object with a prefix, and its name as one.
fn labels(object: &Value, prefix: &str, name: &str) -> Map<String, Value> {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    let labels = labels.map(|(key, value)| (format!("{prefix}{key}"), value.clone()));
    let named = (format!("{prefix}projectcalico.org/name"), name.into());
    labels.chain([named]).collect()
}

fn profile(object: &Value, name: String, revision: String, spec: Value) -> Shown {
    let mut metadata = json!({ "name": name, "resourceVersion": revision });
    let mut fault = None;
    if let Some(uid) = text(object, "/metadata/uid") {
        match uid::converted(uid) {
            Ok(converted) => metadata["uid"] = converted.into(),
            Err(text) => fault = Some(text),
        }
    }
    if let Some(created) = object.pointer("/metadata/creationTimestamp") {
        metadata["creationTimestamp"] = created.clone();
    }
    Shown {
        id: ResourceId::global(Kind::Profile, name),
        value: json!({
            "apiVersion": VERSION, "kind": "Profile", "metadata": metadata, "spec": spec,
        }),
        revision: Arc::from(revision),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-157, DS-159, EX-23.
    #[test]
    fn a_namespace_and_a_service_account_are_profiles() {
        let namespace = json!({"metadata": {
            "name": "prod", "labels": {"env": "prod"}, "resourceVersion": "12",
            "uid": "11111111-2222-4333-8444-555566667777",
        }});
        let found = of_namespace(&namespace).expect("it has a name");
        let wanted = json!({
            "apiVersion": VERSION, "kind": "Profile",
            "metadata": {
                "name": "kns.prod", "resourceVersion": "12/",
                "uid": "88888888-4444-43cc-8422-aaaa6666eeee",
            },
            "spec": {
                "ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}],
                "labelsToApply": {"pcns.env": "prod", "pcns.projectcalico.org/name": "prod"},
            },
        });
        assert_eq!((found.value, &*found.revision), (wanted, "12/"));
        let account =
            json!({"metadata": {"name": "ci", "namespace": "prod", "resourceVersion": "13"}});
        let found = of_service_account(&account).expect("it has a name");
        let wanted = json!({
            "apiVersion": VERSION, "kind": "Profile",
            "metadata": {"name": "ksa.prod.ci", "resourceVersion": "/13"},
            "spec": {"labelsToApply": {"pcsa.projectcalico.org/name": "ci"}},
        });
        assert_eq!((found.value, &*found.revision), (wanted, "/13"));
        assert_eq!(joined("12", "13"), "12/13");
    }

    #[test]
    fn a_profile_is_found_by_its_name() {
        assert_eq!(origin("kns.prod"), Some(Origin::Namespace("prod")));
        let account = Origin::ServiceAccount {
            namespace: "prod",
            name: "ci.bot",
        };
        assert_eq!(origin("ksa.prod.ci.bot"), Some(account));
        assert_eq!(origin("projectcalico-default-allow"), None);
        assert_eq!(origin("ksa.prod"), None);
    }
}
