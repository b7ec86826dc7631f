//! Tier.

use super::Metadata;

/// Name of the tier that policies without `spec.tier` are in.
pub const DEFAULT_TIER: &str = "default";

/// Action at the end of a tier that applied and did not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefaultAction {
    /// Drop.
    Deny,
    /// Go on with the next tier.
    Pass,
}

/// A Tier.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// Name and position.
    pub metadata: Metadata,
    /// `spec.order`, finite; 1 000 000 if the file gives none (RS-117). Infinite if the tier is only named by
    /// policies (DS-313).
    pub order: f64,
    /// `spec.defaultAction`.
    pub default_action: DefaultAction,
}
