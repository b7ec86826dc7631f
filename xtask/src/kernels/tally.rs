//! Results of the suites in a guest.

use std::collections::BTreeMap;

/// Most instructions that the verifier looks at before it refuses a program
/// (`BPF_COMPLEXITY_LIMIT_INSNS`).
const LIMIT_INSTRUCTIONS: u64 = 1_000_000;

/// Begins a line in which a test reports a figure: `report: KEY = VALUE`.
const REPORT: &str = "report: ";

/// Counts of tests, and the figures that tests report.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Figures that tests reported, by key.
    pub(super) figures: BTreeMap<String, String>,
    /// Tests that failed, in order.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Takes in one line of what test binaries print.
    pub(crate) fn add(&mut self, line: &str) {
        if line.starts_with("test result:") {
            self.passed += count(line, "passed;");
            self.failed += count(line, "failed;");
        } else if let Some((_, report)) = line.split_once(REPORT) {
            // The name of the test may stand before it in the same line.
            if let Some((key, value)) = report.split_once(" = ") {
                self.figures.insert(key.to_owned(), value.to_owned());
            }
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
    }

    /// A reported figure, or a dash.
    fn figure(&self, key: &str) -> &str {
        self.figures.get(key).map_or("-", String::as_str)
    }

    /// The cells of this kernel's row.
    fn cells(&self, release: &str) -> [String; COLUMNS.len()] {
        let [ingress, egress] = ["hep_ingress", "hep_egress"].map(|name| {
            let verified = self.figure(&format!("verified {name}"));
            let share = share(verified);
            (verified.to_owned(), share)
        });
        [
            release.to_owned(),
            self.figure("attach").to_owned(),
            ingress.0,
            ingress.1,
            egress.0,
            egress.1,
            self.passed.to_string(),
            self.failed.to_string(),
        ]
    }
}

const COLUMNS: [&str; 8] = [
    "kernel",
    "attach",
    "verified hep_ingress",
    "of 1M",
    "verified hep_egress",
    "of 1M",
    "passed",
    "failed",
];

/// The number in front of `unit`.
fn count(line: &str, unit: &str) -> u64 {
    let number = || {
        let (before, _) = line.split_once(unit)?;
        before.trim_end().rsplit(' ').next()?.parse().ok()
    };
    number().unwrap_or_default()
}

/// A count of instructions as a share of what the verifier looks at.
fn share(verified: &str) -> String {
    verified.parse::<u64>().map_or("-".to_owned(), |verified| {
        let tenths = verified * 1000 / LIMIT_INSTRUCTIONS;
        format!("{}.{} %", tenths / 10, tenths % 10)
    })
}

/// The table of all kernels.
pub(crate) fn table(rows: &[(String, Tally)]) -> String {
    let mut lines = vec![COLUMNS.map(str::to_owned)];
    lines.extend(rows.iter().map(|(release, tally)| tally.cells(release)));
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = lines.iter().map(|line| line[column].len()).max();
            let width = width.unwrap_or_default();
            // Words to the left, numbers to the right.
            let padded = if column < 2 {
                format!("| {cell:<width$} ")
            } else {
                format!("| {cell:>width$} ")
            };
            text.push_str(&padded);
        }
        text.push_str("|\n");
        if index == 0 {
            let rule = "| --- ".repeat(COLUMNS.len());
            text.push_str(&rule);
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_failures_and_figures_are_read_from_what_tests_print() {
        let mut tally = Tally::default();
        for line in [
            "test verifier::accepts ... report: verified hep_ingress = 250000",
            "report: attach = clsact",
            "ok",
            "test links::bond ... FAILED",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out",
        ] {
            tally.add(line);
        }
        assert_eq!((tally.passed, tally.failed), (5, 1));
        assert_eq!(tally.failures, ["links::bond"]);
        let [_, attach, verified, share, unknown, no_share, ..] = tally.cells("6.1");
        assert_eq!([attach, verified, share], ["clsact", "250000", "25.0 %"]);
        assert_eq!([unknown, no_share], ["-", "-"]);
    }
}
