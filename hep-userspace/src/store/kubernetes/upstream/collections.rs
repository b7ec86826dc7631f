//! The collections of the API that a kind is read from, and the objects in them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::super::{
    codec::{self, Shown},
    group::{ApiGroup, Backing, CORE, collection},
};
use crate::{
    model::{Kind, ResourceId},
    store::follow::upstream::{Broken, Seen},
};

/// The part of a kind that a collection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Half {
    Whole,
    /// Profiles of namespaces.
    Namespaces,
    /// Profiles of service accounts.
    ServiceAccounts,
}

/// Objects that are listed and watched together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collection {
    pub(super) kind: Kind,
    pub(super) half: Half,
    pub(super) path: String,
    /// The field that selects among them.
    field: Option<String>,
}

impl Collection {
    /// Its identity.
    pub(super) const fn place(&self) -> (Kind, Half) {
        (self.kind, self.half)
    }

    /// The part of a query that selects among the objects.
    pub(super) fn selector(&self) -> Vec<(&'static str, &str)> {
        let field = self.field.iter();
        field
            .map(|field| ("fieldSelector", field.as_str()))
            .collect()
    }
}

/// The collections of a kind; of the nodes only the one of this name, since others change often and are
/// nobody's business here (spec DS-289).
pub(super) fn collections(group: ApiGroup, kind: Kind, node: &str) -> Vec<Collection> {
    let whole = |half, path, field| Collection {
        kind,
        half,
        path,
        field,
    };
    match Backing::of(kind) {
        Backing::Nodes => {
            let field = format!("metadata.name={node}");
            vec![whole(
                Half::Whole,
                collection(CORE, "nodes", None),
                Some(field),
            )]
        }
        Backing::Accounts => {
            let of = |half, plural| whole(half, collection(CORE, plural, None), None);
            vec![
                of(Half::Namespaces, "namespaces"),
                of(Half::ServiceAccounts, "serviceaccounts"),
            ]
        }
        Backing::Custom => vec![whole(Half::Whole, group.collection(kind, None), None)],
    }
}

/// A resource of a collection; `None` if it has no name.
pub(super) fn shown(group: ApiGroup, collection: &Collection, object: Value) -> Option<Shown> {
    match collection.half {
        Half::Namespaces => codec::of_namespace(&object),
        Half::ServiceAccounts => codec::of_service_account(&object),
        Half::Whole if collection.kind == Kind::Node => codec::shown_node(&object),
        Half::Whole => codec::shown(group, collection.kind, object),
    }
}

/// An object of a collection as the consumer sees it. One whose metadata cannot be read is broken, and has
/// the metadata that Kubernetes keeps (spec DS-124).
pub(super) fn seen(group: ApiGroup, collection: &Collection, object: Value) -> Option<Seen> {
    let shown = shown(group, collection, object)?;
    let content = match shown.fault {
        None => Ok(shown.value),
        Some(reason) => Err(Broken {
            raw: Bytes::from(shown.value.to_string()),
            reason,
        }),
    };
    Some(Seen {
        key: key(&shown.id),
        id: shown.id,
        revision: shown.revision,
        content,
    })
}

/// The name of an object in the store, as its path ends.
pub(super) fn key(id: &ResourceId) -> Arc<str> {
    Arc::from(format!("{}/{}", id.kind.plural(), id.full_name()))
}

/// The identity of the object of a key.
pub(super) fn id(key: &str) -> Option<ResourceId> {
    let (plural, name) = key.split_once('/')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == plural)?;
    if !kind.is_namespaced() {
        return Some(ResourceId::global(kind, name));
    }
    let (namespace, name) = name.split_once('/')?;
    Some(ResourceId {
        kind,
        namespace: Some(Arc::from(namespace)),
        name: Arc::from(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_identity() {
        let set = ResourceId {
            kind: Kind::NetworkSet,
            namespace: Some(Arc::from("prod")),
            name: Arc::from("a.b"),
        };
        let policy = ResourceId::global(Kind::GlobalNetworkPolicy, "a.b");
        for (of, text) in [
            (set, "networksets/prod/a.b"),
            (policy, "globalnetworkpolicies/a.b"),
        ] {
            assert_eq!(&*key(&of), text);
            assert_eq!(id(text), Some(of));
        }
        assert_eq!(id("pods/x"), None);
    }

    /// Spec DS-160, DS-289.
    #[test]
    fn profiles_are_two_collections_and_nodes_this_one() {
        let found = collections(ApiGroup::Crd, Kind::Profile, "web1");
        let paths = found.iter().map(|it| it.path.as_str()).collect::<Vec<_>>();
        assert_eq!(paths, ["/api/v1/namespaces", "/api/v1/serviceaccounts"]);
        let found = collections(ApiGroup::Crd, Kind::Node, "web1");
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].selector(),
            [("fieldSelector", "metadata.name=web1")]
        );
    }
}
