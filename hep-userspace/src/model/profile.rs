//! Profile.

use std::{collections::BTreeMap, sync::Arc};

use hep_common::Direction;

use super::{Metadata, Rule};

/// Name of the built-in profile that allows everything (RS-043).
pub const DEFAULT_ALLOW_PROFILE: &str = "projectcalico-default-allow";

/// A Profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name and position.
    pub metadata: Metadata,
    /// `spec.ingress`. Whoever reads the profile again without a change shares them.
    pub ingress: Arc<[Rule]>,
    /// `spec.egress`, as `ingress`.
    pub egress: Arc<[Rule]>,
    /// `spec.labelsToApply`.
    pub labels_to_apply: BTreeMap<String, String>,
}

impl Profile {
    /// The rules for a direction.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}
