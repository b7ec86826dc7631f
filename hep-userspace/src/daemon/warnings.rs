//! Likely mistakes in a valid policy: of itself, on this host's interfaces, and beside its SSH servers. The
//! daemon and `hep validate` ask here.

use super::{
    effective::{Host, completed},
    ssh,
};
use crate::{
    compile,
    model::Snapshot,
    validate::{self, Problem},
};

/// All warnings about a policy on this host; those that interfaces give are left out if it has none.
#[must_use]
pub fn all(snapshot: &Snapshot, host: &Host<'_>) -> Vec<Problem> {
    let completed = completed(snapshot, host);
    let mut problems = validate::advice(&completed, host.node);
    if host.interfaces.is_empty() {
        return problems;
    }
    problems.extend(compile::warnings(&completed, host.node, host.interfaces));
    if !compile::bind(&completed, host.node, host.interfaces)
        .bound
        .is_empty()
    {
        problems.extend(ssh::failsafe_warnings(&snapshot.felix));
    }
    problems
}
