//! The statements of the resource specification, and the conformance cases.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::Deserialize;

use super::*;

fn node() -> Node {
    Node {
        name: "node1".to_owned(),
        labels: BTreeMap::new(),
        cpus: 4,
    }
}

fn file(name: &str, text: impl Into<Vec<u8>>) -> File {
    File {
        path: Arc::from(Path::new(name)),
        text: text.into(),
    }
}

fn load_one(text: &str, scope: Scope) -> Loaded {
    load(&[file("test.yaml", text)], &node(), scope)
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
    let text = include_str!("../../../tests/cases/validation.jsonl");
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
