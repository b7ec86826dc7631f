//! The objects that are known of a store.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::upstream::{Change, Listed, Resume, Seen};
use crate::{
    model::{Kind, ObjectKey, Origin, ResourceId},
    source::Unit,
    store::PolicySet,
};

/// Annotations that have a meaning for policy begin with this (spec DS-246).
const SETTING: &str = "config.projectcalico.org/";

/// The objects that are known of a store, as units.
#[derive(Clone, Default)]
pub(super) struct Cache {
    /// Name of the kind of store.
    store: Arc<str>,
    /// By their names in the store.
    objects: BTreeMap<Arc<str>, (ResourceId, Unit)>,
    /// Number of objects of each kind.
    counts: HashMap<Kind, usize>,
    /// The ready flag of the store (spec DS-091).
    pub(super) is_ready: bool,
    /// Where to watch from.
    pub(super) resume: Resume,
}

impl Cache {
    pub(super) fn new(store: &str) -> Self {
        Self {
            store: Arc::from(store),
            ..Self::default()
        }
    }

    /// Takes the content of an earlier run.
    pub(super) fn assume(&mut self, policy: &PolicySet, id: impl Fn(&str) -> Option<ResourceId>) {
        let resume = policy.resume.as_deref().unwrap_or_default();
        let resume: BTreeMap<String, String> = serde_json::from_str(resume).unwrap_or_default();
        self.resume = (resume.into_iter())
            .filter_map(|(kind, text)| Some((Kind::named(&kind)?, text)))
            .collect();
        for unit in &policy.files {
            let Origin::Object { key, .. } = &unit.origin else {
                continue;
            };
            if let Some(id) = id(&key.key) {
                self.insert(Arc::clone(&key.key), id, unit.clone());
            }
        }
    }

    /// Number of objects of a kind.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// Number of objects of each kind.
    pub(super) fn counts(&self) -> BTreeMap<Kind, usize> {
        self.counts
            .iter()
            .map(|(kind, count)| (*kind, *count))
            .collect()
    }

    /// Applies a change; returns whether it changes what objects mean.
    pub(super) fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Put(seen) => self.put(seen),
            Change::Deleted { id, key } => self.delete(&id, &key),
        }
    }

    fn put(&mut self, seen: Seen) -> bool {
        if seen.id.kind == Kind::ClusterInformation {
            let is_ready = seen.content.as_ref().is_ok_and(is_ready);
            return std::mem::replace(&mut self.is_ready, is_ready) != is_ready;
        }
        let text = match &seen.content {
            Ok(value) => Bytes::from(effective(value).to_string()),
            Err(broken) => broken.raw.clone(),
        };
        let known = self.objects.get(&seen.key);
        if known.is_some_and(|(_, unit)| unit.text == text) {
            return false;
        }
        let key = match known.map(|(_, unit)| &unit.origin) {
            Some(Origin::Object { key, .. }) => Arc::clone(key),
            _ => Arc::new(ObjectKey {
                store: Arc::clone(&self.store),
                key: Arc::clone(&seen.key),
            }),
        };
        let origin = Origin::Object {
            key,
            revision: seen.revision,
        };
        self.insert(seen.key, seen.id, Unit { origin, text });
        true
    }

    fn insert(&mut self, key: Arc<str>, id: ResourceId, unit: Unit) {
        let kind = id.kind;
        if self.objects.insert(key, (id, unit)).is_none() {
            *self.counts.entry(kind).or_default() += 1;
        }
    }

    fn delete(&mut self, id: &ResourceId, key: &str) -> bool {
        if id.kind == Kind::ClusterInformation {
            return std::mem::replace(&mut self.is_ready, false);
        }
        let is_known = self.objects.remove(key).is_some();
        if is_known && let Some(count) = self.counts.get_mut(&id.kind) {
            *count -= 1;
        }
        is_known
    }

    /// The changes that make the cache what was listed of these kinds; the deletions come last, so that an
    /// object that was moved is never missing (spec DS-228).
    pub(super) fn difference(&self, listed: Listed, kinds: &[Kind]) -> Vec<Change> {
        let names: std::collections::HashSet<Arc<str>> = listed
            .objects
            .iter()
            .map(|seen| Arc::clone(&seen.key))
            .collect();
        let is_ready = (listed.objects.iter()).any(|seen| seen.id.kind == Kind::ClusterInformation);
        let mut changes: Vec<Change> = listed.objects.into_iter().map(Change::Put).collect();
        let gone = self
            .objects
            .iter()
            .filter(|(key, (id, _))| kinds.contains(&id.kind) && !names.contains(*key));
        changes.extend(gone.map(|(key, (id, _))| Change::Deleted {
            id: id.clone(),
            key: Arc::clone(key),
        }));
        if !is_ready && kinds.contains(&Kind::ClusterInformation) {
            changes.push(Change::Deleted {
                id: ResourceId::global(Kind::ClusterInformation, "default"),
                key: Arc::default(),
            });
        }
        changes
    }

    /// Where to watch from, as text.
    fn resume_text(&self) -> String {
        let kinds = self.resume.iter();
        let kinds: BTreeMap<&str, &String> =
            kinds.map(|(kind, text)| (kind.name(), text)).collect();
        json!(kinds).to_string()
    }

    /// The units, in the order of their names.
    pub(super) fn content(&self, base: &Path) -> PolicySet {
        PolicySet {
            base: base.to_path_buf(),
            files: self
                .objects
                .values()
                .map(|(_, unit)| unit.clone())
                .collect(),
            resume: Some(self.resume_text().into()),
        }
    }
}

/// Whether a ClusterInformation says that the store may be followed (spec DS-091).
fn is_ready(cluster: &Value) -> bool {
    cluster.pointer("/spec/datastoreReady") == Some(&Value::Bool(true))
}

/// The part of a resource that policy is made of: a change of anything else changes nothing (spec DS-256).
fn effective(value: &Value) -> Value {
    let mut metadata = Map::new();
    let found = value.get("metadata").and_then(Value::as_object);
    for field in ["name", "namespace", "labels", "creationTimestamp"] {
        if let Some(value) = found.and_then(|found| found.get(field)) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let annotations = found.and_then(|found| found.get("annotations")?.as_object());
    let settings: Map<String, Value> = annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with(SETTING))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !settings.is_empty() {
        metadata.insert("annotations".to_owned(), settings.into());
    }
    let mut effective = json!({ "metadata": metadata });
    for field in ["apiVersion", "kind", "spec"] {
        if let Some(value) = value.get(field) {
            effective[field] = value.clone();
        }
    }
    effective
}
