//! Input and result of a load besides the units.

use std::collections::BTreeMap;

use super::Problem;
use crate::model::{NodeName, Snapshot};

/// The host that resources are loaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, as in `spec.node` of its HostEndpoints.
    pub name: NodeName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Number of its CPUs, which `bpfMapSizePerCpuConntrack` multiplies.
    pub cpus: u32,
}

/// Whether the units are the whole configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything that is configured: what a resource names must exist.
    Directory,
    /// Some of it: what is not there may be elsewhere, so it is a warning (RS-213).
    Files,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The loaded resources; `None` if there is any error. With [`Scope::Files`] it may name tiers and
    /// profiles that it does not contain.
    pub snapshot: Option<Snapshot>,
    /// Its problems, by place; if there are more than [`MAX_PROBLEMS`][1], the last one gives the number of
    /// the others.
    ///
    /// [1]: super::MAX_PROBLEMS
    pub problems: Vec<Problem>,
}
