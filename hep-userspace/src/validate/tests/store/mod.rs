//! Objects of a store are judged one by one (spec section "Where policy comes from a store").

mod history;
mod references;
mod workloads;

use std::sync::Arc;

use super::*;
use crate::{
    model::{ObjectKey, Origin, Policy, Stage},
    validate::{Changes, Instead, Loader},
};

/// A version of an object, as Calico's clients show it.
fn version(plural: &str, name: &str, revision: usize, text: &str) -> Unit {
    let key = ObjectKey {
        store: Arc::from("etcd"),
        key: Arc::from(format!(
            "/calico/resources/v3/projectcalico.org/{plural}/{name}"
        )),
    };
    Unit {
        origin: Origin::Object {
            key: Arc::new(key),
            revision: Arc::from(revision.to_string()),
        },
        text: text.to_owned().into(),
    }
}

/// The only version of an object with this `spec`, which is JSON.
fn object(kind: &str, name: &str, spec: &str) -> Unit {
    revised(kind, name, 1, spec)
}

fn revised(kind: &str, name: &str, revision: usize, spec: &str) -> Unit {
    let plural = format!("{}s", kind.to_ascii_lowercase());
    version(&plural, name, revision, &json(kind, name, spec))
}

fn json(kind: &str, name: &str, spec: &str) -> String {
    format!(
        r#"{{"kind":"{kind}","apiVersion":"projectcalico.org/v3","metadata":{{"name":"{name}"}},"spec":{spec}}}"#
    )
}

fn store(units: &[Unit]) -> (Snapshot, Loaded) {
    let mut loaded = load(units, &node(), Scope::Store);
    let snapshot = loaded.snapshot.take().expect("a store is always loaded");
    (snapshot, loaded)
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.problems.iter().map(|it| it.code.name()).collect()
}

/// One that owns `eth0` of this host.
fn here() -> Unit {
    object(
        "HostEndpoint",
        "e",
        r#"{"node":"node1","interfaceName":"eth0"}"#,
    )
}

fn only(snapshot: &Snapshot) -> &Policy {
    let [policy] = snapshot.policies.as_slice() else {
        panic!("{:#?}", snapshot.policies);
    };
    policy
}

#[test]
fn an_object_that_is_not_valid_stays_as_it_last_was() {
    let mut loader = Loader::default();
    let good = revised("GlobalNetworkPolicy", "p", 7, r#"{"order":1}"#);
    let bad = revised("GlobalNetworkPolicy", "p", 8, r#"{"order":"first"}"#);
    let other = object("Tier", "t", r#"{"order":5}"#);
    let first = loader.load(&[good.clone(), other.clone()], &node(), Scope::Store);
    assert_eq!(first.degraded(), None);
    let changes = Changes {
        changed: vec![bad.clone(), object("Tier", "u", "{}")],
        removed: Vec::new(),
    };
    let loaded = loader.update(changes, &node(), Scope::Store);
    let snapshot = loaded.snapshot.as_ref().expect("always");
    assert_eq!(only(snapshot).order, Some(1.0));
    assert!(
        snapshot
            .tiers
            .iter()
            .any(|tier| &*tier.metadata.name == "u")
    );
    let [kept] = loaded.kept.as_slice() else {
        panic!("{:?}", loaded.kept);
    };
    assert_eq!(kept.origin, bad.origin);
    assert_eq!(kept.instead, Instead::Former(good.origin.clone()));
    assert!(kept.reason.contains("spec.order"), "{kept}");
    let told = loaded.degraded().expect("it is");
    assert!(
        told.contains("policys/p@8") && told.contains("revision 7"),
        "{told}"
    );
    assert!(
        loaded
            .problems
            .iter()
            .any(|it| it.severity == Severity::Error)
    );
    // A restart begins with what was in force.
    let journal = loader.in_force();
    assert!(journal.contains(&good) && !journal.contains(&bad));
    let mut again = Loader::default();
    drop(again.load(&journal, &node(), Scope::Store));
    let after = again.load(&[bad.clone(), other], &node(), Scope::Store);
    assert_eq!(after.kept, loaded.kept);
    assert_eq!(only(&after.snapshot.expect("always")).order, Some(1.0));
    // What is gone is forgotten.
    let gone = |removed| Changes {
        changed: Vec::new(),
        removed,
    };
    drop(again.update(gone(vec![bad.origin.clone()]), &node(), Scope::Store));
    let new = Changes {
        changed: vec![bad],
        removed: Vec::new(),
    };
    let new = again.update(new, &node(), Scope::Store);
    assert_eq!(new.kept[0].instead, Instead::Remains);
}

/// (spec DS-312): (kind, spec, what is in force of it).
#[test]
fn what_never_was_valid_is_no_hole() {
    let policy = |spec: &str| store(&[object("GlobalNetworkPolicy", "p", spec)]);
    let (snapshot, loaded) = policy(
        r#"{"tier":"default","order":1,"selector":"role == 'web'","types":["Egress"],
            "ingress":[{"action":"Allow"}],"egress":[{"action":"allow"}]}"#,
    );
    let found = only(&snapshot);
    assert_eq!((found.applies_ingress, found.applies_egress), (false, true));
    assert!(found.egress.is_empty() && found.ingress.is_empty());
    assert_eq!(found.selector.canonical(), "role == \"web\"");
    assert_eq!(loaded.kept[0].instead, Instead::Remains);
    // Types from what may be rules.
    let (snapshot, _) = policy(r#"{"egress":{"action":"Deny"}}"#);
    let found = only(&snapshot);
    assert_eq!((found.applies_ingress, found.applies_egress), (false, true));
    // Flags that exclude each other.
    let (snapshot, _) = policy(r#"{"doNotTrack":true,"preDNAT":true,"order":"x"}"#);
    let on_forward = Stage::Normal {
        apply_on_forward: true,
    };
    assert_eq!(only(&snapshot).stage, on_forward);
    for spec in [
        r#"{"selector":"role == "}"#,
        r#"{"types":["Inwards"]}"#,
        r#"{"tier":7}"#,
        "[]",
    ] {
        let (snapshot, loaded) = policy(spec);
        assert!(snapshot.policies.is_empty(), "{spec}");
        assert_eq!(loaded.kept[0].instead, Instead::Nothing, "{spec}");
    }
    let nets = r#"{"nets":["192.0.2.0/24","192.0.2.999","2001:db8::/32"]}"#;
    let (snapshot, loaded) = store(&[object("GlobalNetworkSet", "s", nets)]);
    assert_eq!(snapshot.sets[0].nets.len(), 2);
    assert_eq!(loaded.kept.len(), 1);
    let broken = version("tiers", "t", 3, r#"{"kind":"Tier","#);
    let (_, loaded) = store(&[broken]);
    assert_eq!(loaded.kept[0].instead, Instead::Nothing);
}

/// (spec DS-312)
#[test]
fn an_endpoint_that_never_was_valid_denies() {
    let spec = r#"{"node":"node1","interfaceName":"eth0","expectedIPs":["192.0.2.1","nowhere"],
                  "profiles":["projectcalico-default-allow"]}"#;
    let (snapshot, loaded) = store(&[object("HostEndpoint", "e", spec)]);
    let endpoint = &snapshot.endpoints[0];
    assert!(endpoint.closed && endpoint.profiles.is_empty());
    assert_eq!(endpoint.expected_ips.len(), 1);
    assert_eq!(loaded.kept[0].instead, Instead::Remains);
    for spec in [
        r#"{"interfaceName":"eth0"}"#,
        r#"{"node":"node1","interfaceName":"eth*"}"#,
    ] {
        let (snapshot, loaded) = store(&[object("HostEndpoint", "e", spec)]);
        assert!(snapshot.endpoints.is_empty(), "{spec}");
        assert_eq!(loaded.kept[0].instead, Instead::Nothing, "{spec}");
    }
}
