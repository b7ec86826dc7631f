//! The suites on other kernels: each kernel of the matrix boots in a guest, which runs the test
//! binaries that were built here.

mod guest;
mod kernel;
mod tally;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use self::{
    guest::{End, Scratch},
    kernel::{Kernel, Line},
    tally::Tally,
};
use crate::{
    command,
    setup::{self, Environment},
};

/// How long the suites may take on one kernel: emulated, each load of the programs alone takes five
/// to twenty seconds, nearly all of it the verifier's, and several times that while this machine is
/// busy. It ends guests that hang; how much the verifier has to do is counted in instructions.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// A suite that runs in a guest.
struct Suite {
    name: &'static str,
    /// For the runner of its tests.
    options: &'static str,
    /// The tests that run: their names hold one of these; none, all tests.
    chosen: &'static [&'static str],
}

/// The suites to run in a guest.
///
/// Of the traffic suite, only the tests that cover attaching, deny and allow of local, forwarded and
/// translated packets, and state that outlives the daemon; the rest depends on the kernel no more than
/// that, and takes an hour there.
const SUITES: [Suite; 4] = [
    Suite {
        name: "guest",
        // Its tests report figures.
        options: "--nocapture --test-threads=1",
        chosen: &[],
    },
    Suite {
        name: "kernel",
        options: "",
        chosen: &[],
    },
    Suite {
        name: "verdict",
        // Tests that overlap share the programs; one after the other, each would load them.
        options: "--test-threads=4",
        chosen: &[],
    },
    Suite {
        name: "traffic",
        options: "",
        chosen: &[
            "endpoints::",
            "failsafe::",
            "forwarding::",
            "adopts_it",
            "hep_down",
            // Kernels before 6.4 have no hook behind their translation, and hep says so.
            "translated::",
        ],
    },
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run on this kernel only; may be repeated (default: all kernels)
    #[arg(long = "kernel", value_name = "LINE")]
    kernels: Vec<Line>,
    /// Only tests with this text in their name; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Sets up, builds, and runs the suites on each kernel.
///
/// # Errors
///
/// If anything cannot be installed or built, or a test fails on any kernel.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("a guest shares the root file system, which")?;
    let environment = setup::run()?;
    setup::virtual_machines()?;
    let directory = crate::workspace().join("target/kernels");
    std::fs::create_dir_all(&directory)?;
    let lines = match arguments.kernels.as_slice() {
        [] => &Line::ALL,
        lines => lines,
    };
    let kernels = lines
        .iter()
        .map(|line| Kernel::prepare(*line, &directory))
        .collect::<Result<Vec<_>>>()?;
    let suites = Scratch::new(directory.join(format!("suites-{}", std::process::id())))?;
    let script = script(&environment, suites.path(), &arguments.only)?;

    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for kernel in &kernels {
        println!("\n== Linux {}", kernel.release);
        let (tally, end) = judge(kernel, &directory, &script)?;
        println!(
            "Linux {}: {} passed, {} failed",
            kernel.release, tally.passed, tally.failed
        );
        for name in &tally.failures {
            println!("    failed: {name}");
        }
        problems.extend(problem(&tally, &end).map(|text| format!("{}: {text}", kernel.release)));
        rows.push((kernel.release.clone(), tally));
    }
    println!("\n{}", tally::table(&rows));
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    Ok(())
}

/// Runs the script on one kernel; again, and once only, if the guest itself dies.
fn judge(kernel: &Kernel, directory: &Path, script: &str) -> Result<(Tally, End)> {
    let attempt = || {
        let mut tally = Tally::default();
        let end = guest::run(kernel, directory, script, LIMIT, |line| {
            println!("{line}");
            tally.add(line);
        })?;
        if let End::Died(words) = &end {
            println!("the guest died; its last words:\n{words}");
        }
        anyhow::Ok((tally, end))
    };
    match attempt()? {
        (_, End::Died(_)) => {
            println!("once more");
            attempt()
        }
        outcome => Ok(outcome),
    }
}

/// The failure of a kernel's run, if it failed.
fn problem(tally: &Tally, end: &End) -> Option<String> {
    match end {
        End::TimedOut => Some(format!("not done after {} s", LIMIT.as_secs())),
        End::Died(_) => Some("the guest died twice".to_owned()),
        _ if tally.failed > 0 => Some(format!("{} tests failed", tally.failed)),
        End::Status(0) if tally.passed == 0 => Some("no test ran".to_owned()),
        End::Status(0) => None,
        End::Status(status) => Some(format!("a suite ended with status {status}")),
    }
}

/// Builds the suites, and the script that runs them all and fails if one does. `directory` keeps what
/// was built, so that building on meanwhile takes nothing away from a guest.
fn script(environment: &Environment, directory: &Path, only: &[String]) -> Result<String> {
    environment.build_hep()?;
    let workspace = crate::workspace();
    let keep = |binary: &Path| {
        let kept = directory.join(binary.file_name().context("a binary has a name")?);
        std::fs::hard_link(binary, &kept).with_context(|| format!("link {}", kept.display()))?;
        anyhow::Ok(kept)
    };
    let mut script = format!(
        "cd '{}'\nexport HEP_BIN='{}'\nfailed=0\n",
        workspace.join("tests").display(),
        keep(&workspace.join("target/debug/hep"))?.display()
    );
    for suite in SUITES {
        let binary = keep(&build(environment, suite.name)?)?;
        let (name, options) = (suite.name, suite.options);
        write!(script, "echo '-- {name}'\n'{}' {options}", binary.display())?;
        let names: Vec<&str> = match only {
            [] => suite.chosen.to_vec(),
            only => only.iter().map(String::as_str).collect(),
        };
        for name in names {
            write!(script, " '{name}'")?;
        }
        script.push_str(" || failed=1\n");
    }
    script.push_str("exit $failed\n");
    Ok(script)
}

/// Builds one suite; where its binary is.
fn build(environment: &Environment, suite: &str) -> Result<PathBuf> {
    let mut cargo: Command = environment.cargo();
    cargo
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args(["--package", "hep-tests", "--test", suite])
        .stderr(Stdio::inherit());
    println!("$ {}", command::display(&cargo));
    let output = cargo.output().context("run cargo")?;
    if !output.status.success() {
        bail!("the suite {suite} does not build");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == suite)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo names no binary of the suite {suite}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_fine_only_if_tests_ran_and_passed() {
        let tally = |passed, failed| Tally {
            passed,
            failed,
            ..Tally::default()
        };
        assert_eq!(problem(&tally(3, 0), &End::Status(0)), None);
        let rows = [
            (tally(3, 1), End::Status(1), "1 tests failed"),
            (
                tally(3, 0),
                End::Status(134),
                "a suite ended with status 134",
            ),
            (tally(0, 0), End::Status(0), "no test ran"),
            (tally(3, 0), End::TimedOut, "not done"),
            (tally(3, 0), End::Died(String::new()), "died twice"),
        ];
        for (tally, end, wanted) in rows {
            let said = problem(&tally, &end).expect("a problem");
            assert!(said.contains(wanted), "{said}");
        }
    }
}
