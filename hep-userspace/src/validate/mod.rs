//! From texts to one valid snapshot: strict decoding, what must hold between resources, and every
//! problem with its place and what to write instead (spec `resources.md`).

mod advice;
mod cursor;
mod elsewhere;
mod endpoint;
mod entity;
mod felix;
mod http;
mod kinds;
mod loader;
mod metadata;
mod misplaced;
mod names;
mod namespaced;
mod object;
mod place;
mod policy;
mod problem;
mod problems;
mod references;
mod resources;
mod rule;
mod scalars;
mod simple;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use advice::advice;
pub use loader::Loader;
pub use problem::{Problem, Severity};
pub use problems::{MAX_PROBLEMS, bounded};
use resources::Collected;

use crate::{
    model::{NodeName, Snapshot},
    source::Unit,
};

/// Code of the notice about an object of another API group.
const OTHER_GROUP: &str = "N-OTHER";

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
    /// Its problems, by place; if there are more than [`MAX_PROBLEMS`], the last one gives the number of
    /// the others.
    pub problems: Vec<Problem>,
}

/// Loads resources from units: all of them, or, with any error, none (RS-006, RS-007).
#[must_use]
pub fn load(units: &[Unit], node: &Node, scope: Scope) -> Loaded {
    Loader::default().load(units, node, scope)
}

/// Adds what is built in, and sorts by name.
fn snapshot(collected: Collected, node: &Node) -> Snapshot {
    let mut snapshot = Snapshot {
        endpoints: collected.endpoints,
        profiles: collected.profiles,
        policies: collected.policies,
        tiers: collected.tiers,
        sets: collected.sets,
        felix: felix::merge(collected.felix, node),
    };
    references::add_built_in(&mut snapshot);
    snapshot
        .endpoints
        .sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    snapshot
        .profiles
        .sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    snapshot
        .policies
        .sort_by(|a, b| (&a.metadata.name, a.kind).cmp(&(&b.metadata.name, b.kind)));
    snapshot
        .tiers
        .sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    snapshot
        .sets
        .sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    snapshot
}
