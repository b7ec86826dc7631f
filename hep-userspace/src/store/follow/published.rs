//! Messages from the consumer of a store to the daemon.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{model::Kind, store::PolicySet};

/// Reason why a store's present content is not followed, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was not reached yet.
    Starting,
    /// It cannot be reached, or answers with an error.
    Unreachable(String),
    /// It does not permit what is needed.
    Unauthorized(String),
    /// Its ready flag is not true (spec DS-091, DS-092).
    NotReady,
    /// A kind whose objects were seen is not served any more, or is being deleted (spec DS-144, DS-318).
    Vanished(Kind),
    /// All objects of a kind went away while the store could not be watched (spec DS-309).
    Emptied(Kind),
    /// Its revision went back; it is followed when its content stays the same for a while (spec DS-321).
    WentBack,
}

impl Reason {
    /// Word for it in reports.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unreachable(_) => "unreachable",
            Self::Unauthorized(_) => "unauthorized",
            Self::NotReady => "not-ready",
            Self::Vanished(_) => "kind-vanished",
            Self::Emptied(_) => "kind-emptied",
            Self::WentBack => "went-back",
        }
    }

    /// Description of the obstacle.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Starting => "the store was not reached yet".to_owned(),
            Self::Unreachable(text) => format!("the store cannot be reached: {text}"),
            Self::Unauthorized(text) => format!(
                "the store does not permit this daemon to read: {text}; give its user that right"
            ),
            Self::NotReady | Self::Vanished(_) | Self::Emptied(_) | Self::WentBack => self.advice(),
        }
    }

    /// Message for the operator.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Starting | Self::Unreachable(_) | Self::Unauthorized(_) => {
                format!("{}; the last policy stays in force", self.problem())
            }
            Self::NotReady => "the store is locked (datastoreReady of ClusterInformation default \
                               is not true); the last policy stays in force until it is unlocked"
                .into(),
            Self::Vanished(kind) => format!(
                "the store does not serve {kind} any more, or is deleting that kind; the last \
                 policy stays in force until it is served again"
            ),
            Self::Emptied(kind) => format!(
                "every {kind} went away while the store could not be watched; the last policy \
                 stays in force until there is one again, or until `hep resume` takes the store \
                 as it is"
            ),
            Self::WentBack => "the store's revision went back, as after a restore from a backup; \
                               the last policy stays in force until the content has been the same \
                               for 30 s"
                .into(),
        }
    }
}

/// The state of a kind (spec DS-258).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindReport {
    /// Number of objects.
    pub objects: usize,
    /// Where it is watched from: the store's own words.
    pub resume: String,
}

/// The state of the store (spec DS-258).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its state: `in-sync`, or a word for the reason why its present content is not followed.
    pub state: String,
    /// The state of its kinds, by their names.
    pub kinds: BTreeMap<String, KindReport>,
    /// The last time that it gave a sign of life, milliseconds of Unix time; 0 for never.
    pub contact_unix_ms: u64,
    /// Number of times that it was listed whole.
    pub lists: u64,
    /// Number of changes that only a slow list found: a watch had lost them (spec DS-257).
    pub lost_events: u64,
}

/// The store's content, or the reason not to follow it, as the daemon reads it.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// The content that was trusted last.
    pub(super) content: Arc<PolicySet>,
    /// Reason why it is not the store's present content, if so.
    pub(super) obstacle: Option<Reason>,
    pub(super) report: Report,
}
