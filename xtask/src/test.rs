//! Every test there is, unit and privileged, and the runner's counts added up.

use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{command, lint, setup, spec};

/// Arguments that make cargo build the firewall with another `ABI_VERSION`.
pub(crate) const OTHER_ABI: [&str; 6] = [
    "--package",
    "hep-tests",
    "--bin",
    "hep-other-abi",
    "--features",
    "other-abi",
];

/// Sets up, lints, builds, tests, and checks the coverage of the specification. If one step fails, the rest
/// still runs, so that one run reports everything.
///
/// # Errors
///
/// If anything fails, naming it all.
pub(crate) fn run() -> Result<()> {
    setup::require_root("the tests load BPF programs and make network namespaces, which")?;
    let environment = setup::run()?;
    let mut problems = Vec::new();
    if lint::run(&environment).is_err() {
        problems.push("lint");
    }

    environment.build_hep()?;
    command::run(environment.cargo().arg("build").args(OTHER_ABI))?;
    let built = crate::workspace().join("target/debug");
    let mut tests = environment.cargo();
    tests
        .args([
            "test",
            "--workspace",
            "--exclude",
            "hep-ebpf",
            "--no-fail-fast",
        ])
        .env("HEP_BIN", built.join("hep"))
        .env("HEP_OTHER_ABI", built.join("hep-other-abi"));
    let (counts, passed) = count(&mut tests)?;
    if !passed {
        problems.push("tests");
    }

    if let Err(problem) = spec::run() {
        println!("spec-coverage: {problem:#}");
        problems.push("spec-coverage");
    }
    println!("{} passed, {} failed", counts.passed, counts.failed);
    if !problems.is_empty() {
        bail!("failed: {}", problems.join(", "));
    }
    Ok(())
}

/// Totals of the test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    /// Adds a line of the form `test result: ok. 3 passed; 0 failed; …`; other lines are ignored.
    fn add(&mut self, line: &str) {
        if !line.starts_with("test result:") {
            return;
        }
        let number = |unit: &str| {
            let (before, _) = line.split_once(unit)?;
            before.trim_end().rsplit(' ').next()?.parse::<u64>().ok()
        };
        self.passed += number("passed;").unwrap_or_default();
        self.failed += number("failed;").unwrap_or_default();
    }
}

/// Runs the tests in plain sight and adds up their counts; the second value is whether all passed.
fn count(tests: &mut Command) -> Result<(Counts, bool)> {
    println!("$ {}", command::display(tests));
    if std::io::stdout().is_terminal() {
        tests.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = tests
        .stdout(Stdio::piped())
        .spawn()
        .context("run cargo test")?;
    let pipe = child.stdout.take().context("cargo test has no output")?;
    let mut counts = Counts::default();
    let mut screen = std::io::stdout();
    for line in BufReader::new(pipe).split(b'\n') {
        let line = line.context("read what cargo test prints")?;
        screen.write_all(&line)?;
        screen.write_all(b"\n")?;
        counts.add(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().context("wait for cargo test")?;
    Ok((counts, status.success()))
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn counts_of_all_binaries_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 2 tests",
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "5 passed; 5 failed; said a test",
        ] {
            counts.add(line);
        }
        assert_eq!(
            counts,
            Counts {
                passed: 15,
                failed: 2
            }
        );
    }
}
