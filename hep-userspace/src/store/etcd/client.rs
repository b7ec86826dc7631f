//! Reading and writing single resources in etcd.

use std::{sync::Arc, time::Duration};

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};
use serde_json::Value;

use super::{
    connect::{Connection, connect, failure},
    keys, value,
};
use crate::{
    model::{Kind, ResourceId},
    store::{
        Later,
        config::EtcdConfig,
        objects::{Client, ClientError, Field, Listing, Object},
    },
};

/// The longest that one request takes: the servers' own limit is below it (spec DS-018).
const REQUEST: Duration = Duration::from_secs(10);

/// Reads and writes resources in etcd.
pub struct EtcdClient {
    connection: Connection,
}

impl EtcdClient {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ClientError::Store`] and [`ClientError::Unauthorized`].
    pub async fn connect(config: &EtcdConfig) -> Result<Self, ClientError> {
        let connection = connect(config).await?;
        Ok(Self { connection })
    }

    async fn range(
        &self,
        key: String,
        options: GetOptions,
    ) -> Result<etcd_client::GetResponse, ClientError> {
        let mut client = self
            .connection
            .kv_client()
            .max_decoding_message_size(usize::MAX);
        timely(client.get(key, Some(options))).await
    }

    async fn transact(
        &self,
        compare: Vec<Compare>,
        then: TxnOp,
        key: &str,
    ) -> Result<Outcome, ClientError> {
        let otherwise = TxnOp::get(key, None);
        let transaction = Txn::new()
            .when(compare)
            .and_then([then])
            .or_else([otherwise]);
        let mut client = self.connection.kv_client();
        let response = timely(client.txn(transaction)).await?;
        let revision = response.header().map_or(0, |header| header.revision());
        if response.succeeded() {
            let deleted = response.op_responses().into_iter().find_map(|it| match it {
                TxnOpResponse::Delete(deleted) => deleted.prev_kvs().first().cloned(),
                TxnOpResponse::Put(_) | TxnOpResponse::Get(_) | TxnOpResponse::Txn(_) => None,
            });
            return Ok(Outcome::Done { revision, deleted });
        }
        let is_there = response
            .op_responses()
            .iter()
            .any(|it| matches!(it, TxnOpResponse::Get(found) if !found.kvs().is_empty()));
        Ok(Outcome::Otherwise { is_there })
    }

    async fn read(&self, id: &ResourceId, revision: Option<&str>) -> Result<Object, ClientError> {
        let mut options = GetOptions::new();
        if let Some(revision) = revision {
            options = options.with_revision(number(revision)?);
        }
        let found = self.range(keys::key(id), options).await?;
        match found.kvs().first() {
            Some(pair) => object(id.clone(), pair),
            None => Err(missing(id)),
        }
    }

    async fn read_all(&self, kind: Kind, namespace: Option<&str>) -> Result<Listing, ClientError> {
        let options = GetOptions::new().with_prefix();
        let found = self.range(keys::prefix(kind, namespace), options).await?;
        let revision = found.header().map_or(0, |header| header.revision());
        // What is no resource is left out, as Calico does (spec DS-061).
        let resource = |pair: &KeyValue| {
            let id = keys::id(pair.key_str().ok()?)?;
            object(id, pair).ok()
        };
        Ok(Listing {
            objects: found.kvs().iter().filter_map(resource).collect(),
            revision: revision.to_string(),
        })
    }

    async fn store(&self, resource: &Value, is_new: bool) -> Result<Object, ClientError> {
        let id = identity(resource)?;
        let key = keys::key(&id);
        let compare = if is_new {
            Compare::version(key.as_str(), CompareOp::Equal, 0)
        } else {
            let revision = resource.pointer("/metadata/resourceVersion");
            let revision = number(revision.and_then(Value::as_str).unwrap_or_default())?;
            Compare::mod_revision(key.as_str(), CompareOp::Equal, revision)
        };
        let stored = encoded(&value::stored(id.kind, resource));
        let put = TxnOp::put(key.as_str(), stored.as_str(), None);
        match self.transact(vec![compare], put, &key).await? {
            Outcome::Done { revision, .. } => {
                let value = value::shown(&id, stored.as_bytes(), revision).map_err(|text| {
                    ClientError::Undecodable {
                        id: id.clone(),
                        text,
                    }
                })?;
                let revision = revision.to_string();
                Ok(Object {
                    id,
                    value,
                    revision: revision.into(),
                })
            }
            Outcome::Otherwise { .. } if is_new => {
                Err(ClientError::AlreadyExists { id, cause: None })
            }
            Outcome::Otherwise { is_there: true } => Err(ClientError::Conflict(id)),
            Outcome::Otherwise { is_there: false } => Err(missing(&id)),
        }
    }

    async fn remove(&self, id: &ResourceId, revision: Option<&str>) -> Result<Object, ClientError> {
        let key = keys::key(id);
        let compare = match revision {
            None => Vec::new(),
            Some(revision) => {
                let revision = number(revision)?;
                vec![Compare::mod_revision(
                    key.as_str(),
                    CompareOp::Equal,
                    revision,
                )]
            }
        };
        let options = etcd_client::DeleteOptions::new().with_prev_key();
        let delete = TxnOp::delete(key.as_str(), Some(options));
        match self.transact(compare, delete, &key).await? {
            Outcome::Done {
                deleted: Some(pair),
                ..
            } => object(id.clone(), &pair),
            Outcome::Otherwise { is_there: true } => Err(ClientError::Conflict(id.clone())),
            Outcome::Done { deleted: None, .. } | Outcome::Otherwise { .. } => Err(missing(id)),
        }
    }
}

/// The outcome of a transaction.
enum Outcome {
    /// The comparison held; what was deleted, if anything.
    Done {
        revision: i64,
        deleted: Option<KeyValue>,
    },
    /// It did not hold.
    Otherwise { is_there: bool },
}

impl Client for EtcdClient {
    fn get<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.read(id, revision))
    }

    fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> Later<'a, Result<Listing, ClientError>> {
        Box::pin(self.read_all(kind, namespace))
    }

    fn create<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.store(value, true))
    }

    fn update<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.store(value, false))
    }

    fn delete<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
        _uid: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>> {
        Box::pin(self.remove(id, revision))
    }
}

/// Waits for an answer, for [`REQUEST`] at most.
async fn timely<T>(
    request: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, ClientError> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(answer) => answer.map_err(failure),
        Err(_) => Err(ClientError::Store(format!(
            "etcd did not answer within {} s",
            REQUEST.as_secs()
        ))),
    }
}

/// The object of a key and its value.
fn object(id: ResourceId, pair: &KeyValue) -> Result<Object, ClientError> {
    match value::shown(&id, pair.value(), pair.mod_revision()) {
        Ok(value) => Ok(Object {
            id,
            value,
            revision: pair.mod_revision().to_string().into(),
        }),
        Err(text) => Err(ClientError::Undecodable { id, text }),
    }
}

/// A revision as a number (spec DS-046).
fn number(revision: &str) -> Result<i64, ClientError> {
    revision.parse().map_err(|error: std::num::ParseIntError| {
        ClientError::Invalid(vec![Field {
            name: "ResourceVersion".to_owned(),
            value: revision.to_owned(),
            reason: error.to_string(),
        }])
    })
}

fn missing(id: &ResourceId) -> ClientError {
    ClientError::DoesNotExist {
        id: id.clone(),
        cause: None,
    }
}

/// The identity that a resource is stored under.
fn identity(resource: &Value) -> Result<ResourceId, ClientError> {
    let text = |pointer| {
        let value = resource.pointer(pointer).and_then(Value::as_str);
        value.filter(|text| !text.is_empty())
    };
    let absent = |name: &str| {
        ClientError::Invalid(vec![Field {
            name: name.to_owned(),
            value: String::new(),
            reason: "field must be set for a Create request".to_owned(),
        }])
    };
    let kind = text("/kind").and_then(Kind::named);
    let kind = kind.ok_or_else(|| absent("Kind"))?;
    let namespace = match kind.is_namespaced() {
        true => Some(text("/metadata/namespace").ok_or_else(|| absent("Metadata.Namespace"))?),
        false => None,
    };
    let name = text("/metadata/name").ok_or_else(|| absent("Metadata.Name"))?;
    Ok(ResourceId {
        kind,
        namespace: namespace.map(Arc::from),
        name: name.into(),
    })
}

/// JSON as Go's encoder writes it: without spaces, and with `<`, `>` and `&` escaped (spec DS-040).
fn encoded(value: &Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-040.
    #[test]
    fn a_selector_is_escaped_as_go_does() {
        let value = serde_json::json!({"selector": "a == 'b' && c in {'<d>'}"});
        let text = encoded(&value);
        assert_eq!(
            text,
            r#"{"selector":"a == 'b' \u0026\u0026 c in {'\u003cd\u003e'}"}"#
        );
        assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
    }
}
