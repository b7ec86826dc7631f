//! Workloads: what rule selectors can match beside HostEndpoints and sets.

use std::sync::Arc;

use super::{Metadata, Nets};

/// Label with the name of the namespace, which everything in one has.
pub const NAMESPACE_LABEL: &str = "projectcalico.org/namespace";

/// The addresses of something in a namespace, with the labels that rules select it by (DS-315).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Namespace and name, labels, position.
    pub metadata: Metadata,
    /// The profiles whose labels it inherits, in order.
    pub profiles: Vec<Arc<str>>,
    /// Its addresses.
    pub nets: Nets,
}
