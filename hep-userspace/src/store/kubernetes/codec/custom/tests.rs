//! The worked examples of the specification.

use serde_json::json;

use super::*;

const CR_UID: &str = "11111111-2222-4333-8444-555566667777";
const SHOWN_UID: &str = "88888888-4444-43cc-8422-aaaa6666eeee";

fn crd(kind: Kind, stored: Value) -> Shown {
    shown(ApiGroup::Crd, kind, stored).expect("it has a name")
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("it is a string")).expect("it is JSON")
}

/// Spec DS-115, DS-116, DS-117, DS-119, DS-127, EX-17.
#[test]
fn a_policy_is_stored_with_its_metadata_in_an_annotation() {
    let spec = json!({"tier": "default", "order": 100, "selector": "role == 'web'", "new": 1});
    let policy = json!({
        "apiVersion": VERSION, "kind": "GlobalNetworkPolicy",
        "metadata": {
            "name": "allow-ssh", "creationTimestamp": "2026-08-22T10:00:00Z", "uid": SHOWN_UID,
            "resourceVersion": "7", "generation": 2, "unknown": {"a": [1]},
            "labels": {"projectcalico.org/tier": "default", "team": "a"},
            "annotations": {"note": "x", "operator.tigera.io/o": "y"},
        },
        "spec": spec,
    });
    let cr = stored(ApiGroup::Crd, Kind::GlobalNetworkPolicy, &policy, None);
    let cr = cr.expect("it can be stored");
    assert_eq!(cr["apiVersion"], "crd.projectcalico.org/v1");
    assert_eq!(cr["kind"], "GlobalNetworkPolicy");
    assert_eq!(cr["spec"], spec);
    let mut metadata = cr["metadata"].clone();
    let blob = parsed(&metadata["annotations"]["projectcalico.org/metadata"]);
    let wanted = json!({
        "name": "allow-ssh", "creationTimestamp": "2026-08-22T10:00:00Z", "generation": 2,
        "unknown": {"a": [1]}, "labels": {"projectcalico.org/tier": "default", "team": "a"},
        "annotations": {"note": "x", "operator.tigera.io/o": "y"},
    });
    assert_eq!(blob, wanted);
    metadata["annotations"]["projectcalico.org/metadata"] = "…".into();
    let wanted = json!({
        "name": "allow-ssh", "resourceVersion": "7", "uid": CR_UID,
        "labels": {"projectcalico.org/tier": "default"},
        "annotations": {"operator.tigera.io/o": "y", "projectcalico.org/metadata": "…"},
    });
    assert_eq!(metadata, wanted);
    // And back, without loss.
    let back = crd(Kind::GlobalNetworkPolicy, cr);
    assert_eq!(back.fault, None);
    assert_eq!(back.value, policy);
}

/// Spec DS-120, DS-122, EX-18.
#[test]
fn the_annotation_is_laid_over_the_metadata_of_the_custom_resource() {
    let cr = json!({
        "kind": "HostEndpoint",
        "metadata": {
            "name": "h", "uid": CR_UID, "resourceVersion": "900", "finalizers": ["x/y"], "generation": 4,
            "creationTimestamp": "2026-08-22T11:00:00Z", "labels": {"a": "cr", "b": "cr"},
            "annotations": {
                "k": "cr",
                "projectcalico.org/metadata": "{\"creationTimestamp\":\"2026-08-22T10:00:00Z\",\
                    \"labels\":{\"a\":\"blob\"},\"annotations\":{\"k\":\"blob\"}}",
            },
        },
    });
    let found = crd(Kind::HostEndpoint, cr.clone());
    let wanted = json!({
        "name": "h", "uid": SHOWN_UID, "resourceVersion": "900",
        "creationTimestamp": "2026-08-22T10:00:00Z", "labels": {"a": "blob", "b": "cr"},
        "annotations": {"k": "blob"},
    });
    assert_eq!(found.value["metadata"], wanted);
    assert_eq!(&*found.revision, "900");
    // An update keeps the finalizers, which the resource does not show.
    let again = stored(ApiGroup::Crd, Kind::HostEndpoint, &found.value, Some(&cr));
    assert_eq!(
        again.expect("it can be stored")["metadata"]["finalizers"],
        json!(["x/y"])
    );
}

/// Spec DS-116, DS-117, DS-121, EX-19.
#[test]
fn an_object_made_with_kubectl_is_shown_as_it_is() {
    let metadata = json!({
        "name": "h", "labels": {"role": "db"}, "generation": 3, "creationTimestamp": "2026-08-22T11:00:00Z",
        "managedFields": [{"manager": "kubectl"}], "uid": CR_UID, "resourceVersion": "5",
    });
    let cr = json!({"metadata": metadata, "spec": {}});
    let found = crd(Kind::HostEndpoint, cr.clone());
    let mut wanted = metadata.clone();
    wanted["uid"] = SHOWN_UID.into();
    assert_eq!(found.value["metadata"], wanted);
    assert_eq!(found.value["apiVersion"], VERSION);
    // After a change the label is in the annotation only.
    let mut changed = found.value;
    changed["metadata"]["labels"]["more"] = "1".into();
    let again = stored(ApiGroup::Crd, Kind::HostEndpoint, &changed, Some(&cr));
    let again = again.expect("it can be stored");
    assert_eq!(again["metadata"].get("labels"), None);
    let blob = parsed(&again["metadata"]["annotations"]["projectcalico.org/metadata"]);
    assert_eq!(blob["labels"], json!({"more": "1", "role": "db"}));
    assert_eq!(blob["generation"], 3);
    assert_eq!(blob["managedFields"], metadata["managedFields"]);
    assert_eq!(blob.get("name"), None);
}

/// Spec DS-119, DS-121, DS-123.
#[test]
fn a_policy_is_addressed_by_its_stored_name() {
    let policy = |annotation: Option<&str>, tier: &str| {
        let mut cr = json!({"metadata": {"name": "default.x"}, "spec": {"tier": tier}});
        if let Some(text) = annotation {
            cr["metadata"]["annotations"] = json!({"projectcalico.org/metadata": text});
        }
        let found = crd(Kind::GlobalNetworkPolicy, cr);
        assert_eq!(&*found.id.name, "default.x");
        assert_eq!(found.value["metadata"]["labels"][TIER], "default");
        found.value["metadata"]["name"]
            .as_str()
            .expect("it has one")
            .to_owned()
    };
    assert_eq!(policy(None, "default"), "default.x");
    assert_eq!(policy(Some("{}"), "default"), "x");
    assert_eq!(policy(Some("{}"), ""), "x");
    assert_eq!(policy(Some("{}"), "sec"), "default.x");
    assert_eq!(policy(Some(r#"{"name":"y"}"#), "default"), "y");
}

/// Spec DS-118.
#[test]
fn references_to_owners_are_converted() {
    let owner =
        |version: &str, uid: &str| json!({"apiVersion": version, "kind": "Tier", "uid": uid});
    let foreign = owner("v1", CR_UID);
    let shown_owner = owner("projectcalico.org/v3", SHOWN_UID);
    let set = json!({"metadata": {"name": "s", "ownerReferences": [shown_owner, foreign]}});
    let cr = stored(ApiGroup::Crd, Kind::GlobalNetworkSet, &set, None).expect("it can be stored");
    let blob = parsed(&cr["metadata"]["annotations"]["projectcalico.org/metadata"]);
    let wanted = json!([owner("crd.projectcalico.org/v1", CR_UID), foreign]);
    assert_eq!(blob["ownerReferences"], wanted);
    let back = crd(Kind::GlobalNetworkSet, cr).value;
    assert_eq!(
        back["metadata"]["ownerReferences"],
        set["metadata"]["ownerReferences"]
    );
}

/// Spec DS-124.
#[test]
fn a_broken_annotation_leaves_the_metadata_of_the_custom_resource() {
    for annotation in ["{", "[]", r#"{"labels":{"a":1}}"#, r#"{"annotations":[]}"#] {
        let cr = json!({"metadata": {
            "name": "h", "labels": {"a": "b"}, "uid": CR_UID,
            "annotations": {"projectcalico.org/metadata": annotation},
        }});
        let found = crd(Kind::HostEndpoint, cr);
        let fault = found.fault.expect("it is broken");
        assert!(
            fault.starts_with("annotation projectcalico.org/metadata: "),
            "{fault}"
        );
        let wanted = json!({"name": "h", "labels": {"a": "b"}, "uid": SHOWN_UID});
        assert_eq!(found.value["metadata"], wanted);
    }
    let cr = json!({"metadata": {"name": "h", "uid": "x"}});
    assert!(crd(Kind::HostEndpoint, cr).fault.is_some());
}

/// Spec DS-130, DS-131, EX-21.
#[test]
fn native_objects_are_shown_and_stored_as_they_are() {
    let object = json!({
        "apiVersion": VERSION, "kind": "GlobalNetworkPolicy",
        "metadata": {
            "name": "default.x", "uid": CR_UID, "resourceVersion": "5", "finalizers": ["f"],
            "labels": {TIER: "default"}, "annotations": {"projectcalico.org/metadata": "{"},
        },
        "spec": {"tier": "default", "types": ["Ingress"]},
    });
    let found = shown(ApiGroup::Native, Kind::GlobalNetworkPolicy, object.clone());
    let found = found.expect("it has a name");
    assert_eq!((&found.value, found.fault), (&object, None));
    let again = stored(
        ApiGroup::Native,
        Kind::GlobalNetworkPolicy,
        &found.value,
        None,
    );
    assert_eq!(again, Ok(object));
    assert_eq!(stored_uid(ApiGroup::Native, CR_UID).as_deref(), Ok(CR_UID));
    assert_eq!(stored_uid(ApiGroup::Crd, CR_UID).as_deref(), Ok(SHOWN_UID));
}
