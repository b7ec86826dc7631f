//! The statements of the resource specification, and the conformance cases.

mod advice;
mod again;
mod changes;
mod contradictions;
mod elsewhere;
mod endpoints;
mod felix;
mod felix_unused;
mod hostile;
mod load;
mod metadata;
mod misplaced;
mod network_sets;
mod policies;
mod profiles;
mod rules;
mod selectors;
mod store;
mod stored;
mod text;
mod tiers;
mod unsupported;

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use super::*;
use crate::{model::Snapshot, source::Unit};

fn node() -> Node {
    Node {
        name: "node1".into(),
        labels: BTreeMap::new(),
        cpus: 4,
    }
}

fn file(name: &str, text: impl Into<Vec<u8>>) -> Unit {
    Unit::file(Path::new(name), text.into())
}

fn load_one(text: &str, scope: Scope) -> Loaded {
    load(&[file("test.yaml", text)], &node(), scope)
}

/// A document with this `spec`, in flow style.
fn document(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    )
}

fn endpoint(spec: &str) -> String {
    document("HostEndpoint", "e", spec)
}

fn policy(spec: &str) -> String {
    document("GlobalNetworkPolicy", "p", spec)
}

/// A policy with one ingress rule.
fn rule(fields: &str) -> String {
    policy(&format!("ingress: [{{{fields}}}]"))
}

/// A policy of a host that has an endpoint.
fn here(policy: &str) -> String {
    endpoint("node: node1, interfaceName: eth0").replace("name: e", "name: here") + policy
}

/// The snapshot of what must be valid.
fn accept(text: &str) -> Snapshot {
    let loaded = load_one(text, Scope::Directory);
    let problems: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    loaded
        .snapshot
        .unwrap_or_else(|| panic!("{text}\nrefused: {}", problems.join("\n")))
}

/// Fails unless `text` is refused for exactly this code at this field, and no other reason.
fn refuse(text: &str, code: &str, field: &str) -> Problem {
    let loaded = load_one(text, Scope::Directory);
    let is_error = |problem: &Problem| problem.severity == Severity::Error;
    let errors: Vec<Problem> = loaded.problems.into_iter().filter(is_error).collect();
    let shown: Vec<String> = errors
        .iter()
        .map(|error| format!("{} {error}", error.code))
        .collect();
    assert!(loaded.snapshot.is_none(), "{text}\nwas accepted");
    let [error] = errors.as_slice() else {
        panic!(
            "{text}\nexpected one {code} at {field}:\n{}",
            shown.join("\n")
        );
    };
    assert_eq!(
        (error.code.name(), error.field.as_str()),
        (code, field),
        "{text}\n{error}"
    );
    assert!(!error.advice.is_empty(), "{text}\nno advice: {error}");
    assert!(error.position.line > 0, "{text}\nno line: {error}");
    error.clone()
}

/// The warnings of what must be valid.
fn warnings(text: &str) -> Vec<Problem> {
    let Loaded {
        snapshot,
        mut problems,
        ..
    } = load_one(text, Scope::Directory);
    let Some(snapshot) = snapshot else {
        panic!("{text}\nrefused: {problems:#?}");
    };
    problems.extend(advice(&snapshot, &node().name));
    problems
}

/// Fails unless `text` is valid, with exactly this warning.
fn warn(text: &str, code: &str, field: &str) -> Problem {
    let warnings = warnings(text);
    let found = warnings
        .iter()
        .find(|warning| warning.code.name() == code && warning.field == field);
    found
        .unwrap_or_else(|| panic!("{text}\nexpected {code} at {field}: {warnings:#?}"))
        .clone()
}

#[derive(Deserialize)]
struct Case {
    id: String,
    doc: serde_json::Value,
    expect: String,
    why: String,
}

#[test]
fn conformance_cases() {
    let text = include_str!("../../../../tests/cases/validation.jsonl");
    let mut failures = Vec::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("the case file holds cases");
        let loaded = load_one(&case.doc.to_string(), Scope::Files);
        let got = if loaded.snapshot.is_some() {
            "valid"
        } else {
            "invalid"
        };
        if got != case.expect {
            let problems: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
            failures.push(format!(
                "{}: {} but {got}: {}",
                case.id,
                case.why,
                problems.join(" | ")
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
