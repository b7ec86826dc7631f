//! Policies that select nothing of this host: their conditions, whatever they are, never refuse a load and
//! never degrade (RS-312, DS-314).

use std::collections::{BTreeMap, HashSet};

use super::{Code, Problem, Severity, advice::labels};
use crate::model::{Policy, Snapshot};

/// Whether a policy selects an endpoint of the host `node`.
pub(super) fn selects_here(snapshot: &Snapshot, node: &str) -> impl Fn(&Policy) -> bool {
    let local = snapshot.endpoints.iter();
    let local = local.filter(|endpoint| &*endpoint.node == node);
    let here: Vec<BTreeMap<&str, &str>> =
        local.map(|endpoint| labels(endpoint, snapshot)).collect();
    move |policy| {
        let mut here = here.iter();
        here.any(|labels| policy.selector.matches_with(|key| labels.get(key).copied()))
    }
}

/// Makes notices of the refusals of conditions in policies that select no endpoint of the host `node`.
pub(super) fn excuse(snapshot: &Snapshot, node: &str, problems: &mut [Problem]) {
    let is_about = |problem: &Problem| [Code::Unsupported, Code::Unjudged].contains(&problem.code);
    if !problems.iter().any(is_about) {
        return;
    }
    let selects = selects_here(snapshot, node);
    let elsewhere: HashSet<(&str, &str)> = snapshot
        .policies
        .iter()
        .filter(|policy| !selects(policy))
        .map(|policy| (policy.kind.name(), policy.metadata.identity()))
        .collect();
    for problem in problems.iter_mut().filter(|problem| is_about(problem)) {
        // What was exported from Kubernetes may have another name there.
        let kind = problem.kind.as_str();
        let key = problem.position.origin.object_name();
        let stored = problem.name.strip_prefix("default.");
        let names = match key {
            Some(key) => [Some(key), None],
            None => [Some(problem.name.as_str()), stored],
        };
        let mut names = names.into_iter().flatten();
        if names.any(|name| elsewhere.contains(&(kind, name))) {
            problem.severity = Severity::Notice;
            problem.code = Code::UnsupportedElsewhere;
            problem.message = format!(
                "{}; the policy selects no HostEndpoint of {node}",
                problem.message
            );
            problem.advice = String::new();
        }
    }
}
