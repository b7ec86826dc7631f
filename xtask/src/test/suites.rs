//! Suites of a test run, read from what cargo and the test runner print.

use std::fmt::Write as _;

/// Counts and time of one test binary.
#[derive(Debug, Default, PartialEq)]
struct Suite {
    name: String,
    passed: u64,
    failed: u64,
    seconds: f64,
}

/// The suites of a run, in their order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Suites {
    finished: Vec<Suite>,
    /// Name of the suite that runs.
    running: Option<String>,
}

impl Suites {
    /// Adds a line that begins or ends a suite; other lines are ignored.
    pub(super) fn add(&mut self, line: &str) {
        let line = without_colours(line);
        if let Some(name) = begun(&line) {
            self.running = Some(name);
        } else if let Some(result) = line.strip_prefix("test result:") {
            let name = self.running.take().unwrap_or_default();
            self.finished.push(Suite {
                name,
                passed: number(result, " passed;"),
                failed: number(result, " failed;"),
                seconds: seconds(result).unwrap_or_default(),
            });
        }
    }

    /// The suites that have tests, a line each, and their sums.
    pub(super) fn table(&self) -> String {
        let mut text = format!("{:<24} {:>6} {:>8}\n", "suite", "tests", "seconds");
        let (mut passed, mut failed, mut sum) = (0, 0, 0.0);
        for suite in &self.finished {
            let tests = suite.passed + suite.failed;
            passed += suite.passed;
            failed += suite.failed;
            sum += suite.seconds;
            if tests > 0 {
                let mark = if suite.failed > 0 { "  FAILED" } else { "" };
                let row = format!("{:<24} {tests:>6} {:>8.1}{mark}", suite.name, suite.seconds);
                let _infallible = writeln!(text, "{row}");
            }
        }
        let _infallible = writeln!(text, "{passed} passed, {failed} failed, {sum:.0} s");
        text
    }
}

/// The suite that a line of cargo begins: `Running tests/cli/main.rs (target/debug/deps/cli-0123abcd)`, or
/// `Doc-tests hep_common`.
fn begun(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (documentation)"));
    }
    let path = line.strip_prefix("Running ")?.strip_suffix(')')?;
    let binary = path.rsplit('/').next()?;
    let (name, _hash) = binary.rsplit_once('-')?;
    Some(name.to_owned())
}

/// The number before a unit, 0 without one.
fn number(result: &str, unit: &str) -> u64 {
    let before = result.split(unit).next().unwrap_or_default();
    let word = before.rsplit(' ').next().unwrap_or_default();
    word.parse().unwrap_or_default()
}

/// The time at the end of a result.
fn seconds(result: &str) -> Option<f64> {
    let (_, time) = result.rsplit_once("finished in ")?;
    time.trim().strip_suffix('s')?.parse().ok()
}

/// A line without the sequences that colour it.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or("", |(_, behind)| behind));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Suites;

    #[test]
    fn each_suite_has_its_counts_and_time() {
        let mut suites = Suites::default();
        for line in [
            "   Compiling hep-common v0.1.0",
            "\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m unittests src/lib.rs (target/debug/deps/hep_common-0a1b)",
            "running 12 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.26s",
            "     Running tests/cli/main.rs (target/debug/deps/cli-0a1b)",
            "5 passed; 5 failed; said a test",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 61.00s",
            "   Doc-tests hep_common",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            suites.add(line);
        }
        let table = suites.table();
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(|row| row.split_whitespace().collect())
            .collect();
        assert_eq!(rows[1], ["hep_common", "12", "1.3"]);
        assert_eq!(rows[2], ["cli", "5", "61.0", "FAILED"]);
        assert_eq!(rows[3].join(" "), "15 passed, 2 failed, 62 s");
    }
}
