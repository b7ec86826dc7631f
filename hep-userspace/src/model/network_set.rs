//! GlobalNetworkSet and NetworkSet.

use super::{Metadata, NAMESPACE_LABEL, Nets};

/// A GlobalNetworkSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalNetworkSet {
    /// Name, labels, position.
    pub metadata: Metadata,
    /// `spec.nets`: masked, without repeats.
    pub nets: Nets,
}

impl GlobalNetworkSet {
    /// Name of the profile whose labels it inherits: that of its namespace, if it is in one (DS-157, DS-315).
    #[must_use]
    pub fn profile(&self) -> Option<String> {
        let namespace = self.metadata.labels.get(NAMESPACE_LABEL)?;
        Some(format!("kns.{namespace}"))
    }
}
