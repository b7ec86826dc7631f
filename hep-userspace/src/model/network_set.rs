//! GlobalNetworkSet.

use super::{Metadata, Nets};

/// A GlobalNetworkSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalNetworkSet {
    /// Name, labels, position.
    pub metadata: Metadata,
    /// `spec.nets`: masked, without repeats.
    pub nets: Nets,
}
