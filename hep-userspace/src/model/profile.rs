//! Profile.

use std::collections::BTreeMap;

use super::{Metadata, Rule};

/// Name of the built-in profile that allows everything (RS-043).
pub const DEFAULT_ALLOW_PROFILE: &str = "projectcalico-default-allow";

/// A Profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Name and position.
    pub metadata: Metadata,
    /// `spec.ingress`.
    pub ingress: Vec<Rule>,
    /// `spec.egress`.
    pub egress: Vec<Rule>,
    /// `spec.labelsToApply`.
    pub labels_to_apply: BTreeMap<String, String>,
}
