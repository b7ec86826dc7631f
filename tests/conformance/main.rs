//! The cases in `tests/cases`, all of them, through the binary.

use std::{fs, path::PathBuf};

use hep_tests::hep;
use serde_json::Value;

fn cases(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("cases")
        .join(name)
}

/// The objects of a JSONL file.
fn lines(name: &str) -> Vec<Value> {
    let path = cases(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field} of {case}"))
}

/// Panics with what went wrong, if anything did.
fn report(total: usize, failed: &[String]) {
    assert!(
        failed.is_empty(),
        "{} of {total} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn packets_get_their_verdicts_from_both_engines() {
    let path = cases("packets.jsonl");
    let said = hep::run(&["test", "--engine", "both", &path.to_string_lossy()]).exits(0);
    let total = lines("packets.jsonl").len();
    assert_eq!(said.stdout, format!("{total} passed, 0 failed\n"));
}

/// EV-224 to EV-257, as far as a first packet shows them.
#[test]
fn worked_cases_of_the_specification_hold_for_both_engines() {
    both_engines_pass("worked.yaml");
}

#[test]
fn statements_about_first_packets_hold_for_both_engines() {
    both_engines_pass("statements.yaml");
}

fn both_engines_pass(name: &str) {
    let path = cases(name);
    let said = hep::run(&["test", "--engine", "both", &path.to_string_lossy()]).exits(0);
    assert!(said.stdout.ends_with(" passed, 0 failed\n"), "{said:#?}");
}

/// SL-001 to SL-032.
#[test]
fn selectors_match_what_they_should() {
    let all = lines("selectors.jsonl");
    let mut failed = Vec::new();
    for case in &all {
        let mut arguments = vec!["selector".to_owned()];
        let labels = case["labels"].as_object().expect("labels are a map");
        if labels.is_empty() {
            arguments.push("--no-labels".to_owned());
        }
        for (key, value) in labels {
            let value = value.as_str().expect("a label is text");
            arguments.push(format!("--label={key}={value}"));
        }
        arguments.extend(["--".to_owned(), text(case, "selector").to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let said = hep::run(&arguments);
        let got = match said.code {
            0 => "match",
            1 => "nomatch",
            3 => "invalid",
            _ => "neither",
        };
        if got != text(case, "expect") {
            failed.push(format!("{}: {got}: {said:?}", text(case, "id")));
        }
    }
    report(all.len(), &failed);
}

/// RS-001 to RS-131, resource by resource.
#[test]
fn resources_are_accepted_or_refused_as_they_should() {
    let directory = tempfile::tempdir().expect("a directory for one resource");
    let path = directory.path().join("resource.json");
    let all = lines("validation.jsonl");
    let mut failed = Vec::new();
    for case in &all {
        fs::write(&path, case["doc"].to_string()).expect("write the resource");
        let said = hep::run(&["validate", &path.to_string_lossy()]);
        let got = match said.code {
            0 => "valid",
            3 => "invalid",
            _ => "neither",
        };
        if got != text(case, "expect") {
            failed.push(format!("{}: {got}: {said:?}", text(case, "id")));
        }
    }
    report(all.len(), &failed);
}
