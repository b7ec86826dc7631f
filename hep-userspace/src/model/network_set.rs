//! GlobalNetworkSet.

use ipnetwork::IpNetwork;

use super::Metadata;

/// A GlobalNetworkSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalNetworkSet {
    /// Name, labels, position.
    pub metadata: Metadata,
    /// `spec.nets`: masked, in document order, without repeats.
    pub nets: Vec<IpNetwork>,
}
