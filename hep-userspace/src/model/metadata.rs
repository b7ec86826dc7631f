//! The metadata of every resource: where it was written, its name, labels and annotations.

use std::{collections::BTreeMap, sync::Arc};

use super::Position;

/// The part of `metadata` that means something to a host firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The name that is shown; unique within the resource's kind but for policies of a store.
    pub name: Arc<str>,
    /// Labels; for HostEndpoints without those inherited from profiles.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where the resource starts.
    pub position: Position,
}

impl Metadata {
    /// The name that nothing else of the kind has: in a store that of the object's key, since two policies
    /// may show one name there (DS-078, DS-079); else the name.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.position.origin.object_name().unwrap_or(&self.name)
    }
}
