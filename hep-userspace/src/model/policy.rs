//! GlobalNetworkPolicy and StagedGlobalNetworkPolicy.

use std::sync::Arc;

use hep_common::Direction;

use super::{Kind, Metadata, Rule};
use crate::selector::Selector;

/// Change that a staged policy would make to the enforced policy of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StagedAction {
    /// Create or replace it.
    Set,
    /// Remove it.
    Delete,
    /// Only learn.
    Learn,
    /// Nothing.
    Ignore,
}

/// Enforced or staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// GlobalNetworkPolicy.
    Enforced,
    /// StagedGlobalNetworkPolicy: counted, never enforced (RS-113).
    Staged(StagedAction),
}

impl PolicyKind {
    /// The resource's kind.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Enforced => Kind::GlobalNetworkPolicy,
            Self::Staged(_) => Kind::StagedGlobalNetworkPolicy,
        }
    }

    /// The resource's `kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.kind().name()
    }
}

/// The lists that a policy's rules are in (EV-023).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `doNotTrack: true`.
    Untracked,
    /// `preDNAT: true`.
    PreDnat,
    /// Neither: the normal list, and with `applyOnForward` also the forward list.
    Normal {
        /// `applyOnForward`.
        apply_on_forward: bool,
    },
}

/// A GlobalNetworkPolicy or StagedGlobalNetworkPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Enforced or staged.
    pub kind: PolicyKind,
    /// Name and position.
    pub metadata: Metadata,
    /// `spec.tier`.
    pub tier: Arc<str>,
    /// `spec.order`; `None` is after every number.
    pub order: Option<f64>,
    /// `spec.selector`, with `namespaceSelector` and `serviceAccountSelector` about the labels that
    /// Calico keeps of them (RS-071); empty is `all()`.
    pub selector: Arc<Selector>,
    /// Whether the (defaulted) `types` holds `Ingress`.
    pub applies_ingress: bool,
    /// Whether the (defaulted) `types` holds `Egress`.
    pub applies_egress: bool,
    /// `spec.ingress`. Whoever reads the policy again without a change shares them.
    pub ingress: Arc<[Rule]>,
    /// `spec.egress`, as `ingress`.
    pub egress: Arc<[Rule]>,
    /// From `doNotTrack`, `preDNAT` and `applyOnForward`.
    pub stage: Stage,
}

impl Policy {
    /// The rules for a direction.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Whether it applies to a direction.
    #[must_use]
    pub const fn applies(&self, direction: Direction) -> bool {
        match direction {
            Direction::Ingress => self.applies_ingress,
            Direction::Egress => self.applies_egress,
        }
    }
}
