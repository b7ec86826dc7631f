//! Reading and writing single resources in the Kubernetes API.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    codec::{self, Origin, Shown},
    connection::Connection,
    failure::Failure,
    group::{ApiGroup, Backing, CORE, chosen, collection},
    list::{List, list},
    request::{Request, escaped},
};
use crate::{
    model::{Kind, ResourceId},
    store::{
        Later,
        config::KubernetesConfig,
        objects::{Client, ClientError, Field, Listing, Object, Operation},
    },
};

/// Reads and writes resources in the Kubernetes API.
pub struct KubernetesClient {
    connection: Connection,
    group: ApiGroup,
}

impl KubernetesClient {
    /// Connects, and looks which API group is served if none is configured.
    ///
    /// # Errors
    ///
    /// [`ClientError::Store`] and [`ClientError::Unauthorized`].
    pub async fn connect(config: &KubernetesConfig) -> Result<Self, ClientError> {
        let any = ResourceId::global(Kind::ClusterInformation, "default");
        let failure = |failure: Failure| {
            if let Failure::Refused(refusal) = &failure
                && refusal.is_unserved()
            {
                return ClientError::Store(refusal.message.clone());
            }
            failure.about(&any)
        };
        let connection = Connection::open(config).await.map_err(failure)?;
        let group = chosen(&connection, config.api_group.as_deref());
        let group = group.await.map_err(failure)?;
        Ok(Self { connection, group })
    }

    /// The API group in use.
    #[must_use]
    pub const fn group(&self) -> ApiGroup {
        self.group
    }

    async fn read(&self, id: &ResourceId) -> Result<Object, ClientError> {
        let stored = self.stored(id).await?;
        let shown = self.shown(id.kind, stored);
        shown.map(Shown::into_object).ok_or_else(|| nameless(id))
    }

    /// The value that is stored under an identity: always the most recent (spec DS-139).
    async fn stored(&self, id: &ResourceId) -> Result<Value, ClientError> {
        let path = self.path(id).ok_or_else(|| ClientError::DoesNotExist {
            id: id.clone(),
            cause: None,
        })?;
        let answer = self.connection.json(&Request::get(path)).await;
        answer.map_err(|failure| failure.about(id))
    }

    /// The path of an object; `None` for profiles that no object is computed to.
    fn path(&self, id: &ResourceId) -> Option<String> {
        Some(match Backing::of(id.kind) {
            Backing::Custom => self.group.object(id),
            Backing::Nodes => node(id),
            Backing::Accounts => match codec::origin(&id.name)? {
                Origin::Namespace(name) => format!("{CORE}/namespaces/{}", escaped(name)),
                Origin::ServiceAccount { namespace, name } => {
                    let accounts = collection(CORE, "serviceaccounts", Some(namespace));
                    format!("{accounts}/{}", escaped(name))
                }
            },
        })
    }

    fn shown(&self, kind: Kind, stored: Value) -> Option<Shown> {
        match Backing::of(kind) {
            Backing::Nodes => codec::shown_node(&stored),
            // Only a service account has a namespace.
            Backing::Accounts if stored.pointer("/metadata/namespace").is_some() => {
                codec::of_service_account(&stored)
            }
            Backing::Accounts => codec::of_namespace(&stored),
            Backing::Custom => codec::shown(self.group, kind, stored),
        }
    }

    async fn read_all(&self, kind: Kind, namespace: Option<&str>) -> Result<Listing, ClientError> {
        let of = |path: String| async move {
            let any = ResourceId::global(kind, "");
            let found = list(&self.connection, &path, &[], None).await;
            found.map_err(|failure| {
                if let Failure::Refused(refusal) = &failure
                    && refusal.status == StatusCode::NOT_FOUND
                {
                    return ClientError::NotServed(kind);
                }
                failure.about(&any)
            })
        };
        let found = match Backing::of(kind) {
            Backing::Accounts => {
                let namespaces = of(collection(CORE, "namespaces", None)).await?;
                let accounts = of(collection(CORE, "serviceaccounts", None)).await?;
                List {
                    items: [namespaces.items, accounts.items].concat(),
                    revision: codec::joined(&namespaces.revision, &accounts.revision),
                    was_ahead: false,
                }
            }
            Backing::Nodes => of(collection(CORE, "nodes", None)).await?,
            Backing::Custom => of(self.group.collection(kind, namespace)).await?,
        };
        let shown = found.items.into_iter();
        let shown = shown.filter_map(|stored| self.shown(kind, stored));
        Ok(Listing {
            objects: shown.map(Shown::into_object).collect(),
            revision: found.revision,
        })
    }

    async fn add(&self, resource: &Value) -> Result<Object, ClientError> {
        let id = writable(resource, Operation::Create)?;
        if id.kind == Kind::Node {
            return Err(unsupported(&id, Operation::Create));
        }
        let mut stored = self.encoded(&id, resource, None)?;
        // The server gives it a uid of its own (spec DS-127), and a revision.
        if let Some(metadata) = stored.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("uid");
            metadata.remove("resourceVersion");
        }
        let path = self.group.collection(id.kind, id.namespace.as_deref());
        self.written(&id, &Request::post(path, &stored)).await
    }

    async fn replace(&self, resource: &Value) -> Result<Object, ClientError> {
        let id = writable(resource, Operation::Update)?;
        let current = self.stored(&id).await?;
        if id.kind == Kind::Node {
            let merged = codec::merged_node(resource, current);
            let path = format!("{}/status", node(&id));
            return self.written(&id, &Request::put(path, &merged)).await;
        }
        let stored = self.encoded(&id, resource, Some(&current))?;
        let path = self.group.object(&id);
        self.written(&id, &Request::put(path, &stored)).await
    }

    async fn remove(
        &self,
        id: &ResourceId,
        revision: Option<&str>,
        uid: Option<&str>,
    ) -> Result<Object, ClientError> {
        if Backing::of(id.kind) != Backing::Custom {
            return Err(unsupported(id, Operation::Delete));
        }
        let former = self.read(id).await?;
        let mut conditions = Map::new();
        if let Some(uid) = uid {
            let uid = codec::stored_uid(self.group, uid);
            let uid = uid.map_err(|reason| invalid("Metadata.UID", reason))?;
            conditions.insert("uid".to_owned(), uid.into());
        }
        if let Some(revision) = revision {
            conditions.insert("resourceVersion".to_owned(), revision.into());
        }
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if !conditions.is_empty() {
            options["preconditions"] = conditions.into();
        }
        let request = Request::delete(self.group.object(id), &options);
        let answer = self.connection.json(&request).await;
        answer.map_err(|failure| failure.about(id))?;
        Ok(former)
    }

    fn encoded(
        &self,
        id: &ResourceId,
        resource: &Value,
        current: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let synchronises = resource.pointer("/spec/controllers/node/syncLabels");
        if id.kind == Kind::KubeControllersConfiguration
            && synchronises.is_some_and(|it| it == "Disabled")
        {
            return Err(ClientError::Store("invalid SyncLabels value".to_owned()));
        }
        let stored = codec::stored(self.group, id.kind, resource, current);
        stored.map_err(|reason| invalid("Metadata.UID", reason))
    }

    /// Writes; returns the object as it is stored then.
    async fn written(&self, id: &ResourceId, request: &Request) -> Result<Object, ClientError> {
        let answer = self.connection.json(request).await;
        let stored = answer.map_err(|failure| failure.about(id))?;
        let shown = self.shown(id.kind, stored);
        shown.map(Shown::into_object).ok_or_else(|| nameless(id))
    }
}

impl Client for KubernetesClient {
    fn get<'a>(
        &'a self,
        id: &'a ResourceId,
        _revision: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.read(id))
    }

    fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> Later<'a, Result<Listing, ClientError>> {
        Box::pin(self.read_all(kind, namespace))
    }

    fn create<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.add(value))
    }

    fn update<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.replace(value))
    }

    fn delete<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
        uid: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.remove(id, revision, uid))
    }
}

/// The path of a Node.
fn node(id: &ResourceId) -> String {
    format!("{CORE}/nodes/{}", escaped(&id.name))
}

/// The identity of a resource that is to be written; profiles are computed and cannot be (spec DS-158).
fn writable(resource: &Value, operation: Operation) -> Result<ResourceId, ClientError> {
    let field = |name: &str| {
        ClientError::Invalid(vec![Field {
            name: name.to_owned(),
            value: String::new(),
            reason: format!("field must be set for a {operation} request"),
        }])
    };
    let kind = codec::text(resource, "/kind").and_then(Kind::named);
    let kind = kind.ok_or_else(|| field("Kind"))?;
    let id = codec::identity(kind, resource).ok_or_else(|| field("Metadata.Name"))?;
    if kind.is_namespaced() && id.namespace.is_none() {
        return Err(field("Metadata.Namespace"));
    }
    if kind == Kind::Profile {
        return Err(unsupported(&id, operation));
    }
    if operation == Operation::Update
        && codec::text(resource, "/metadata/resourceVersion").is_none()
    {
        return Err(field("Metadata.ResourceVersion"));
    }
    Ok(id)
}

fn unsupported(id: &ResourceId, operation: Operation) -> ClientError {
    ClientError::NotSupported {
        operation: operation.to_string(),
        on: format!("{}({})", id.kind, id.full_name()),
        reason: String::new(),
    }
}

fn invalid(field: &str, reason: String) -> ClientError {
    ClientError::Invalid(vec![Field {
        name: field.to_owned(),
        value: String::new(),
        reason,
    }])
}

fn nameless(id: &ResourceId) -> ClientError {
    ClientError::Undecodable {
        id: id.clone(),
        text: "the API server's answer has no name".to_owned(),
    }
}
