//! Results as JUnit XML, which CI systems read.

use super::text::failure_text;
use crate::view::{CaseResult, FileResult};

/// One test suite per file, one test per case.
pub(super) fn document(files: &[FileResult]) -> String {
    let suites: String = files.iter().map(suite).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n{suites}</testsuites>\n")
}

fn suite(file: &FileResult) -> String {
    let name = escape(&file.file);
    let failures = file.cases.iter().filter(|case| !case.passed()).count();
    let tests = file.cases.len();
    let seconds: f64 = file.cases.iter().map(|case| case.seconds).sum();
    let cases: String = file
        .cases
        .iter()
        .map(|case| test_case(case, &name))
        .collect();
    format!(
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"0\" time=\"{seconds:.3}\">\n{cases}  </testsuite>\n"
    )
}

fn test_case(case: &CaseResult, suite: &str) -> String {
    let id = escape(&case.id);
    let head = format!(
        "    <testcase classname=\"{suite}\" name=\"{id}\" time=\"{:.3}\"",
        case.seconds
    );
    if case.passed() {
        return format!("{head}/>\n");
    }
    let first = case
        .failures
        .first()
        .map(|failure| failure.problem.as_str());
    let message = escape(case.error.as_deref().or(first).unwrap_or_default());
    let body = escape(&failure_text(case));
    format!("{head}>\n      <failure message=\"{message}\">{body}</failure>\n    </testcase>\n")
}

/// XML has no way to write most control characters, so they become question marks.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::PacketFailure;

    fn case(id: &str, problem: Option<&str>) -> CaseResult {
        CaseResult {
            id: id.to_owned(),
            why: String::new(),
            packets: 1,
            seconds: 0.5,
            error: None,
            failures: problem
                .map(|problem| PacketFailure {
                    index: 0,
                    packet: "a packet".to_owned(),
                    why: String::new(),
                    expect: "allow".to_owned(),
                    problem: problem.to_owned(),
                    got: Vec::new(),
                })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn failures_are_counted_and_escaped() {
        let report = FileResult {
            file: "a&b.yaml".into(),
            cases: vec![case("good", None), case("bad", Some("a < \"b\"\u{7}"))],
        };
        let xml = document(&[report]);
        assert!(xml.contains("<testsuite name=\"a&amp;b.yaml\" tests=\"2\" failures=\"1\""));
        assert!(xml.contains("name=\"good\" time=\"0.500\"/>"));
        assert!(xml.contains("<failure message=\"a &lt; &quot;b&quot;?\">"));
    }
}
