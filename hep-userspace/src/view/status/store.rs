//! The store that a daemon follows.

use schemars::JsonSchema;
use serde::Serialize;

use crate::store::follow;

/// A store of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    /// `in-sync`, or why its present content is not followed: `starting`, `unreachable`, `unauthorized`,
    /// `not-ready`, `kind-vanished`, `kind-emptied` or `went-back`.
    pub state: String,
    /// The last time that it gave a sign of life, milliseconds of Unix time; 0 for never.
    pub contact_unix_ms: u64,
    /// Number of times that it was listed whole.
    pub lists: u64,
    /// Number of changes that only a list found, since a watch had lost them.
    pub lost_events: u64,
    /// State of each kind.
    pub kinds: Vec<StoreKind>,
}

/// A kind of objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreKind {
    /// Its name.
    pub kind: String,
    /// Number of objects.
    pub objects: usize,
    /// The last revision that was seen: the store's own words.
    pub revision: String,
}

impl From<&follow::Report> for Store {
    fn from(report: &follow::Report) -> Self {
        let kinds = report.kinds.iter().map(|(kind, state)| StoreKind {
            kind: kind.clone(),
            objects: state.objects,
            revision: state.resume.clone(),
        });
        Self {
            state: report.state.clone(),
            contact_unix_ms: report.contact_unix_ms,
            lists: report.lists,
            lost_events: report.lost_events,
            kinds: kinds.collect(),
        }
    }
}
