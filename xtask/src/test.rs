//! Every test there is, unit and privileged, with counts and times; or the unit tests alone.

mod suites;

use std::{
    io::{BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use self::suites::Suites;
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

/// Arguments that select what has unit tests.
const UNIT_TARGETS: [&str; 11] = [
    "--workspace",
    "--exclude",
    "hep-ebpf",
    "--lib",
    "--bin",
    "hep",
    "--bin",
    "hep-soak",
    "--bin",
    "xtask",
    "--locked",
];
/// Where the shortened soaks are, beside the unit tests of their binary.
const SOAKS: &str = "quick::";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only unit tests: any user, no set-up, no network, no BPF linker
    #[arg(long)]
    unit: bool,
}

/// Runs what the arguments ask for.
///
/// # Errors
///
/// If anything fails, naming it all.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.unit { unit() } else { every() }
}

/// Runs the unit tests of all crates, on what this machine has.
fn unit() -> Result<()> {
    let environment = setup::present();
    let mut tests = environment.cargo();
    tests.arg("test").args(UNIT_TARGETS);
    tests.args(["--no-fail-fast", "--", "--skip", SOAKS]);
    let (suites, passed) = count(&mut tests)?;
    print!("{}", suites.table());
    if !passed {
        bail!("failed: tests");
    }
    Ok(())
}

/// Sets up, lints, builds, tests, and checks the coverage of the specification. If one step fails, the rest
/// still runs, so that one run reports everything.
fn every() -> Result<()> {
    setup::require_root("the tests load BPF programs and make network namespaces, which")?;
    let environment = setup::run()?;
    setup::store_servers()?;
    let mut problems = Vec::new();
    if lint::run(&environment).is_err() {
        problems.push("lint");
    }

    environment.build_hep()?;
    command::run(environment.cargo().arg("build").args(OTHER_ABI))?;
    let built = crate::workspace().join("target/debug");
    let mut tests = environment.cargo();
    tests
        .args(["test", "--workspace", "--exclude", "hep-ebpf"])
        .arg("--no-fail-fast")
        .env("HEP_BIN", built.join("hep"))
        .env("HEP_OTHER_ABI", built.join("hep-other-abi"));
    let (suites, passed) = count(&mut tests)?;
    if !passed {
        problems.push("tests");
    }

    if let Err(problem) = spec::run() {
        println!("spec-coverage: {problem:#}");
        problems.push("spec-coverage");
    }
    print!("{}", suites.table());
    if !problems.is_empty() {
        bail!("failed: {}", problems.join(", "));
    }
    Ok(())
}

/// Runs the tests in plain sight and notes their suites; the second value is whether all passed.
fn count(tests: &mut Command) -> Result<(Suites, bool)> {
    println!("$ {}", command::display(tests));
    if std::io::stdout().is_terminal() {
        tests.env("CARGO_TERM_COLOR", "always");
    }
    // One pipe for both streams: cargo names a suite on one of them, the suite reports on the other.
    let (output, input) = std::io::pipe().context("make a pipe")?;
    tests.stdout(input.try_clone()?).stderr(input);
    let mut child = tests.spawn().context("run cargo test")?;
    // The command holds the writing ends, which keep the pipe open.
    tests.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut suites = Suites::default();
    let mut screen = std::io::stdout();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("read what cargo test prints")?;
        screen.write_all(&line)?;
        screen.write_all(b"\n")?;
        suites.add(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().context("wait for cargo test")?;
    Ok((suites, status.success()))
}
