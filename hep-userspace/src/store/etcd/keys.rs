//! Keys of etcd, and the resources that they are of (spec DS-027 to DS-031).

use std::sync::Arc;

use crate::model::{Kind, ResourceId};

/// Start of the keys of all resources.
const RESOURCES: &str = "/calico/resources/v3/projectcalico.org/";

/// The key of a resource.
pub(super) fn key(id: &ResourceId) -> String {
    format!("{RESOURCES}{}/{}", id.kind.plural(), id.full_name())
}

/// Start of the keys of a kind: of all of it, or of one namespace. The slash at the end keeps out those of
/// which this is only the beginning (spec DS-059).
pub(super) fn prefix(kind: Kind, namespace: Option<&str>) -> String {
    let plural = kind.plural();
    match namespace {
        None => format!("{RESOURCES}{plural}/"),
        Some(namespace) => format!("{RESOURCES}{plural}/{namespace}/"),
    }
}

/// The resource of a key; `None` if there is none at such a key. What follows a resource's name is ignored
/// (spec DS-029).
pub(super) fn id(key: &str) -> Option<ResourceId> {
    let mut segments = key.strip_prefix(RESOURCES)?.split('/');
    let plural = segments.next()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == plural)?;
    let mut name = || {
        segments
            .next()
            .filter(|name| !name.is_empty())
            .map(Arc::<str>::from)
    };
    let namespace = match kind.is_namespaced() {
        true => Some(name()?),
        false => None,
    };
    Some(ResourceId {
        kind,
        namespace,
        name: name()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_resource_and_no_other() {
        let policy = ResourceId::global(Kind::GlobalNetworkPolicy, "default.ssh");
        let text = "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/default.ssh";
        assert_eq!(key(&policy), text);
        assert_eq!(id(text), Some(policy.clone()));
        assert_eq!(id(&format!("{text}/more")), Some(policy));
        let set = ResourceId {
            kind: Kind::NetworkSet,
            namespace: Some(Arc::from("prod")),
            name: Arc::from("db"),
        };
        assert_eq!(id(&key(&set)), Some(set));
        for other in [
            "/calico/resources/v3/projectcalico.org/globalnetworkpolicies/",
            "/calico/resources/v3/projectcalico.org/networksets/prod",
            "/calico/resources/v3/projectcalico.org/unknown/x",
            "/calico/v1/policy/tier/x/metadata",
            "calico/resources/v3/projectcalico.org/tiers/x",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}
