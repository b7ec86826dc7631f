//! The metadata of every resource: where it was written, its name, labels and annotations.

use std::{collections::BTreeMap, sync::Arc};

use super::Position;

/// The part of `metadata` that means something to a host firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Unique within the resource's kind.
    pub name: Arc<str>,
    /// Labels; for HostEndpoints without those inherited from profiles.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where the resource starts.
    pub position: Position,
}
