//! The consumer's view of a store of objects: lists, watches, and whether a kind is still there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;

use crate::model::{Kind, ResourceId};

/// Where to begin to watch, for each kind: the store's own words, opaque here.
pub type Resume = BTreeMap<Kind, String>;

/// An object that was listed, or seen by a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its identity in the store.
    pub id: ResourceId,
    /// Its name in the store, as messages show it; one for each identity.
    pub key: Arc<str>,
    /// The store's word for its version.
    pub revision: Arc<str>,
    /// The resource in `projectcalico.org/v3`, or why there is none.
    pub content: Result<Value, Broken>,
}

/// A value that is no resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The value.
    pub raw: Bytes,
    /// Description of the mistake.
    pub reason: String,
}

/// All objects of some kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The objects, of whatever order.
    pub objects: Vec<Seen>,
    /// Where to watch these kinds from.
    pub resume: Resume,
    /// The revision of the store as a whole, where revisions can be compared.
    pub position: Option<u64>,
}

/// A change of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new, or has another version.
    Put(Seen),
    /// It is gone.
    Deleted {
        /// Its identity.
        id: ResourceId,
        /// Its name in the store.
        key: Arc<str>,
    },
}

/// A message of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Changes of a kind, in their order.
    Changes {
        /// The kind.
        kind: Kind,
        /// The changes.
        changes: Vec<Change>,
        /// Where to watch the kind from, once these are taken; `None` if more of the same revision follow.
        resume: Option<String>,
    },
    /// Nothing changed up to here.
    Progress {
        /// The kind.
        kind: Kind,
        /// Where to watch it from.
        resume: String,
    },
    /// A sign of life.
    Alive,
}

/// Reason why a list or a watch came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The store cannot be reached, or answers with an error.
    Unreachable(String),
    /// The store does not permit it.
    Unauthorized(String),
    /// The store no longer has the history of this kind from where it was to be watched (compaction, 410).
    Expired(Kind),
    /// The store does not serve this kind.
    NotServed(Kind),
    /// The stream of this kind ended as streams do; it goes on from where it was.
    Ended(Kind),
    /// The revision of the store is below one that was seen: it was restored from a backup.
    WentBack,
    /// Too many requests; how long to wait, if the store says so.
    TooMany(Option<Duration>),
}

/// A store of objects as the consumer uses it.
pub trait Upstream: Send + 'static {
    /// Name of the kind of store, such as `etcd`.
    fn name(&self) -> &'static str;

    /// The identity of the object with this name in the store.
    fn id(&self, key: &str) -> Option<ResourceId>;

    /// Looks cheaply whether the store answers.
    fn probe(&mut self) -> impl Future<Output = Result<(), Loss>> + Send;

    /// Lists kinds: one state of each, and of all of them where the store can.
    fn list(&mut self, kinds: &[Kind]) -> impl Future<Output = Result<Listed, Loss>> + Send;

    /// Begins to watch every kind from where `from` says; ends earlier watches.
    fn watch(&mut self, from: &Resume) -> impl Future<Output = Result<(), Loss>> + Send;

    /// The next step of the watches. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = Result<Step, Loss>> + Send;

    /// Whether a kind is still served, and not itself being deleted (spec DS-318).
    fn is_served(&mut self, kind: Kind) -> impl Future<Output = Result<bool, Loss>> + Send;
}
