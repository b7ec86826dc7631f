//! Single reads and writes of resources, with libcalico's defaults and checks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{built_in, checks, checks::metadata, defaults, time};
use crate::{
    model::{Kind, ResourceId},
    store::objects::{Client, ClientError, Listing, Object, object_of},
};

/// Kind of store that resources are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// Files, which get what is written into them and nothing more: no uids, no times, no objects that
    /// initialisation makes; defaults are set when they are read.
    Directory,
    /// etcd.
    Etcd,
    /// The Kubernetes API.
    Kubernetes,
}

/// The resources of a store.
pub struct Resources<'c> {
    /// The store.
    pub(super) client: &'c dyn Client,
    /// Its kind.
    pub(super) backing: Backing,
}

impl<'c> Resources<'c> {
    /// Those of a store of this kind.
    #[must_use]
    pub const fn new(client: &'c dyn Client, backing: Backing) -> Self {
        Self { client, backing }
    }

    /// Whether they are those of a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        matches!(self.backing, Backing::Directory)
    }

    /// The resource with its defaults, as `get` shows it.
    #[must_use]
    pub fn shown(&self, mut object: Object) -> Object {
        if self.is_directory() {
            defaults::apply(object.id.kind, &mut object.value);
        }
        object
    }

    /// Reads a resource, at a revision where one is given.
    ///
    /// # Errors
    ///
    /// As of the store.
    pub async fn get(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
    ) -> Result<Object, ClientError> {
        if built_in::is_built_in(id) {
            return Ok(built_in::profile());
        }
        self.client.get(id, revision).await
    }

    /// Lists a kind: all of it, or one namespace; profiles with the built-in one (spec DS-082), tiers with
    /// their defaults (spec DS-085).
    ///
    /// # Errors
    ///
    /// As of the store. A kind that the store does not serve has no resources (spec DS-144).
    pub async fn list(&self, kind: Kind, namespace: Option<&str>) -> Result<Listing, ClientError> {
        let mut listing = match self.client.list(kind, namespace).await {
            Err(ClientError::NotServed(_)) => Listing::default(),
            listing => listing?,
        };
        let has_built_in = |listing: &Listing| {
            let mut objects = listing.objects.iter();
            objects.any(|it| built_in::is_built_in(&it.id))
        };
        if kind == Kind::Profile && !has_built_in(&listing) {
            // Where Calico has it (spec DS-082, DS-157).
            match self.backing {
                Backing::Kubernetes => listing.objects.insert(0, built_in::profile()),
                Backing::Directory | Backing::Etcd => listing.objects.push(built_in::profile()),
            }
        }
        if kind == Kind::Tier {
            for tier in &mut listing.objects {
                defaults::apply(Kind::Tier, &mut tier.value);
            }
        }
        Ok(listing)
    }

    /// Stores a new resource, of which only name, namespace, labels and annotations of the metadata count
    /// (spec DS-189).
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::Invalid`].
    pub async fn create(&self, kind: Kind, resource: &Value) -> Result<Object, ClientError> {
        checks::before_create(kind, resource)?;
        let id = id_of(kind, resource);
        if built_in::is_built_in(&id) {
            let cause = Some("the profile is built in".to_owned());
            return Err(ClientError::AlreadyExists { id, cause });
        }
        let mut resource = resource.clone();
        self.default(kind, &mut resource);
        checks::content(&resource)?;
        if let Some(fields) = resource.as_object_mut() {
            let metadata = object_of(fields, "metadata");
            metadata
                .retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&&**key));
            if !self.is_directory() {
                let uid = uuid::Uuid::new_v4().to_string();
                metadata.insert("uid".to_owned(), json!(uid));
                metadata.insert("creationTimestamp".to_owned(), json!(time::now()));
            }
            fields.remove("status");
        }
        self.tier_exists(kind, &resource).await?;
        if kind == Kind::Node {
            self.initialise().await;
        }
        self.client.create(&resource).await
    }

    /// Replaces a resource whose revision is still the one in its metadata.
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::Invalid`].
    pub async fn update(&self, kind: Kind, resource: &Value) -> Result<Object, ClientError> {
        let id = id_of(kind, resource);
        if built_in::is_built_in(&id) {
            return Err(unsupported_profile("Update"));
        }
        if !self.is_directory() {
            checks::before_update(resource)?;
        }
        let mut resource = resource.clone();
        self.default(kind, &mut resource);
        checks::content(&resource)?;
        self.client.update(&resource).await
    }

    fn default(&self, kind: Kind, resource: &mut Value) {
        if !self.is_directory() {
            defaults::apply(kind, resource);
        }
    }

    /// Deletes a resource, and with a Node what belongs to it (spec DS-056).
    ///
    /// # Errors
    ///
    /// As of the store, or [`ClientError::NotSupported`].
    pub async fn delete(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
        uid: Option<&str>,
    ) -> Result<Object, ClientError> {
        if built_in::is_built_in(id) {
            return Err(unsupported_profile("Delete"));
        }
        if id.kind == Kind::Tier {
            self.tier_is_unused(&id.name).await?;
        }
        if id.kind == Kind::Node {
            self.delete_with_node(&id.name).await?;
        }
        self.client.delete(id, revision, uid).await
    }
}

/// The identity that a resource names.
pub(super) fn id_of(kind: Kind, resource: &Value) -> ResourceId {
    let namespace = metadata(resource, "namespace").unwrap_or("default");
    ResourceId {
        kind,
        namespace: kind.is_namespaced().then(|| Arc::from(namespace)),
        name: metadata(resource, "name").unwrap_or_default().into(),
    }
}

fn unsupported_profile(operation: &str) -> ClientError {
    ClientError::NotSupported {
        operation: operation.to_owned(),
        on: built_in::DEFAULT_ALLOW.to_owned(),
        reason: "the profile is built in".to_owned(),
    }
}
