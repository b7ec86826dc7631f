//! Text of test results.

use crate::{
    cli::output::Text,
    printable,
    view::{CaseResult, EngineVerdict, TestReport},
};

impl Text for TestReport {
    fn text(&self) -> String {
        let cases = self.files.iter().flat_map(|file| &file.cases);
        let failed = cases.filter(|case| !case.passed());
        let mut texts: Vec<String> = failed.map(failure_text).collect();
        texts.push(format!("{} passed, {} failed", self.passed, self.failed));
        texts.join("\n")
    }
}

/// Formats a failed case: its name and remark, then each packet with the expected and the actual result.
pub(super) fn failure_text(case: &CaseResult) -> String {
    let mut lines = vec![match case.why.as_str() {
        "" => case.id.clone(),
        why => format!("{}: {why}", case.id),
    }];
    lines.extend(case.error.iter().map(|error| format!("  {error}")));
    for failure in &case.failures {
        let index = failure.index;
        lines.push(format!("  packet {index}: {}", failure.packet));
        if !failure.why.is_empty() {
            lines.push(format!("    {}", failure.why));
        }
        lines.push(format!("    {}", failure.problem));
        lines.extend(failure.got.iter().flat_map(engine_lines));
    }
    lines.push(String::new());
    printable::lines(lines)
}

fn engine_lines(report: &EngineVerdict) -> impl Iterator<Item = String> {
    let (engine, verdict) = (&report.engine, &report.verdict);
    let summary = format!(
        "    {engine}: {verdict}, {}, {}",
        report.reason, report.place
    );
    let trace = report.trace.iter().map(|line| format!("      {line}"));
    [summary].into_iter().chain(trace)
}
