//! `hep diff`: what a policy would change.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ListKind, Place, Rule, Version};
use crate::preview;

/// The differences between two policies.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Difference {
    /// Version of this shape.
    pub version: Version<1>,
    /// The policy before: a directory, or `generation N`.
    pub from: String,
    /// The policy after: a directory.
    pub to: String,
    /// Resources that differ.
    pub resources: Vec<ResourceChange>,
    /// Interfaces that change their HostEndpoint.
    pub interfaces: Vec<InterfaceChange>,
    /// Lists of rules that differ.
    pub rules: Vec<ListChange>,
    /// Selectors of rules that select other addresses.
    pub sets: Vec<SetChange>,
    /// Effect on known flows; null without `--live`.
    pub flows: Option<Flows>,
}

impl Difference {
    /// Whether nothing differs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.resources.is_empty()
            && self.interfaces.is_empty()
            && self.rules.is_empty()
            && self.sets.is_empty()
    }
}

/// Kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Only after.
    Added,
    /// Only before.
    Removed,
    /// Both, with other content.
    Changed,
    /// Both alike.
    Same,
}

/// A resource that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResourceChange {
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// `added`, `removed` or `changed`.
    pub change: Change,
    /// File that holds it afterwards, or held it.
    pub file: String,
    /// Line in that file, from 1.
    pub line: u32,
    /// Fields below `metadata` and `spec` that differ.
    pub fields: Vec<FieldChange>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldChange {
    /// Path, such as `spec.ingress[0].action`.
    pub field: String,
    /// Values that are gone; of a list of plain values, only those.
    pub before: Vec<String>,
    /// Values that are new.
    pub after: Vec<String>,
}

/// An interface that changes its HostEndpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InterfaceChange {
    /// Name.
    pub name: String,
    /// HostEndpoint before; null: not policed.
    pub before: Option<String>,
    /// HostEndpoint after; null: not policed.
    pub after: Option<String>,
}

/// A list of rules that differs, for all interfaces and families where it does so alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListChange {
    /// Packets that it judges.
    pub kind: ListKind,
    /// `ingress` or `egress`.
    pub direction: String,
    /// IP versions.
    pub families: Vec<u8>,
    /// Interfaces.
    pub interfaces: Vec<String>,
    /// Differences, in order.
    pub hunks: Vec<Hunk>,
}

/// Rules that differ, among their neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hunk {
    /// Number of the first rule before, from 1, and how many are shown.
    pub before: (usize, usize),
    /// Number of the first rule after, from 1, and how many are shown.
    pub after: (usize, usize),
    /// The rules, in order.
    pub lines: Vec<Line>,
}

/// A rule of a hunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Line {
    /// `same`, `added` or `removed`.
    pub change: Change,
    /// The rule, with its place in the files after, or before if it is removed.
    #[serde(flatten)]
    pub rule: Rule,
}

/// A selector of rules that selects other addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SetChange {
    /// Canonical text of the selector.
    pub selector: String,
    /// Addresses that it selected before only.
    pub removed: Vec<String>,
    /// Addresses that it selects after only.
    pub added: Vec<String>,
}

/// Effect on known flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Flows {
    /// Number of flows that pass now.
    pub known: usize,
    /// Those that would be cut.
    pub cut: Vec<Cut>,
}

/// A flow that would be cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cut {
    /// The flow's packet that is judged.
    pub packet: String,
    /// Interface at which it would be denied.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Whether it is routed through this host.
    pub forwarded: bool,
    /// Name of the reason, as in the counters.
    pub reason: String,
    /// The rule or default that would deny it.
    #[serde(flatten)]
    pub place: Place,
}

impl From<preview::Change> for Change {
    fn from(change: preview::Change) -> Self {
        match change {
            preview::Change::Added => Self::Added,
            preview::Change::Removed => Self::Removed,
            preview::Change::Changed => Self::Changed,
        }
    }
}

impl From<preview::LineChange> for Change {
    fn from(change: preview::LineChange) -> Self {
        match change {
            preview::LineChange::Same => Self::Same,
            preview::LineChange::Removed => Self::Removed,
            preview::LineChange::Added => Self::Added,
        }
    }
}

impl From<preview::ResourceChange> for ResourceChange {
    fn from(change: preview::ResourceChange) -> Self {
        let fields = change.fields.into_iter().map(|field| FieldChange {
            field: field.field,
            before: field.before,
            after: field.after,
        });
        Self {
            kind: change.kind,
            name: change.name,
            change: change.change.into(),
            file: change.file,
            line: change.line,
            fields: fields.collect(),
        }
    }
}

impl From<preview::InterfaceChange> for InterfaceChange {
    fn from(change: preview::InterfaceChange) -> Self {
        Self {
            name: change.name,
            before: change.before,
            after: change.after,
        }
    }
}

impl From<preview::ListChange> for ListChange {
    fn from(change: preview::ListChange) -> Self {
        let line = |line: preview::Line| Line {
            change: line.change.into(),
            rule: Rule::from(&line.rule),
        };
        let hunks = change.hunks.into_iter().map(|hunk| Hunk {
            before: hunk.before,
            after: hunk.after,
            lines: hunk.lines.into_iter().map(line).collect(),
        });
        Self {
            kind: change.kind.into(),
            direction: change.direction,
            families: change.families,
            interfaces: change.interfaces,
            hunks: hunks.collect(),
        }
    }
}

impl From<preview::SetChange> for SetChange {
    fn from(change: preview::SetChange) -> Self {
        Self {
            selector: change.selector,
            removed: change.removed,
            added: change.added,
        }
    }
}

impl From<preview::Cut> for Cut {
    fn from(cut: preview::Cut) -> Self {
        Self {
            packet: cut.packet,
            interface: cut.interface,
            direction: cut.direction.to_owned(),
            forwarded: cut.forwarded,
            reason: cut.reason.to_owned(),
            place: cut.place.into(),
        }
    }
}
