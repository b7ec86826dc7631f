//! Warnings about a valid snapshot that is complete: likely mistakes, whatever interfaces the host has.

mod endpoints;
mod facts;
mod rules;

pub(super) use facts::labels;

use super::Problem;
use crate::model::Snapshot;
use facts::Facts;

/// Likely mistakes in a snapshot that is complete, with the endpoints that the daemon makes, on the host
/// `node`.
#[must_use]
pub fn advice(snapshot: &Snapshot, node: &str) -> Vec<Problem> {
    let facts = Facts::new(snapshot, node);
    let mut problems: Vec<Problem> = endpoints::none_here(&facts).into_iter().collect();
    problems.extend(endpoints::unselected(&facts));
    for side in &facts.sides {
        problems.extend(rules::empty_selector(&facts, side));
        problems.extend(rules::named_ports(&facts, side));
    }
    problems.extend(endpoints::without_addresses(&facts));
    problems.extend(endpoints::closed(&facts));
    problems.extend(rules::one_way_untracked(&facts));
    problems.extend(endpoints::metrics_for_all(&facts));
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    problems
}
