//! `hep test`.

mod junit;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, ValueEnum};

use super::{
    exit::Exit,
    output::{Format, emit},
};
use crate::{
    cases::{self, Case, Engines, KernelEngine},
    view::{CaseResult, Failure, FailureKind, FileResult, TestReport},
};

/// Cases per engine: loading the programs takes as long as some dozens of cases.
const CASES_PER_ENGINE: usize = 128;
/// Most engines at once. They mostly wait for the kernel to free a case's tables.
const MOST_ENGINES: usize = 8;

/// Test policies: judge packets and compare the verdicts with the expected ones
///
/// A case holds resources (inline, or paths relative to the case's file), the host's interfaces with
/// their addresses, and packets with `expect: allow` or `expect: deny`. Cases are read from YAML (a
/// list, or documents), JSON or JSONL. The kernel engine runs every packet through the real programs
/// in a network namespace of its own, attached to nothing; the reference engine evaluates the
/// resources as the specification says. With both, they also have to agree on the rule that decides.
///
/// Exits with 0 if all cases pass, with 1 if one fails and with 3 if a file cannot be read.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Files with cases
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Engine that judges [default: both as root, else reference]
    #[arg(long, value_enum, env = "HEP_TEST_ENGINE")]
    engine: Option<Engine>,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The programs in the kernel; needs root
    Kernel,
    /// The evaluator written from the specification
    Reference,
    /// Both engines, which have to agree
    Both,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Reference => "reference",
            Self::Both => "both",
        }
    }

    fn default_for_user() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Both
        } else {
            Self::Reference
        }
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let engine = arguments.engine.unwrap_or_else(Engine::default_for_user);
    let mut files = Vec::new();
    for path in &arguments.files {
        match cases::read(path) {
            Ok(cases) => files.push((path.clone(), cases)),
            Err(error) => {
                let message = format!("{:#}", anyhow!(error));
                return Err(Failure::new(FailureKind::Invalid, message).into());
            }
        }
    }
    let report = TestReport::new(engine.name(), judge(&files, engine)?);
    if let Some(path) = &arguments.junit {
        fs::write(path, junit::document(&report.files))
            .with_context(|| format!("write {}", path.display()))?;
    }
    emit(&report, format)?;
    Ok(if report.failed == 0 {
        Exit::Ok
    } else {
        Exit::Negative
    })
}

/// Judges all cases with as many engines in parallel as their number justifies.
fn judge(files: &[(PathBuf, Vec<Case>)], engine: Engine) -> Result<Vec<FileResult>> {
    let cases: Vec<(&Path, &Case)> = files
        .iter()
        .flat_map(|(path, cases)| {
            cases
                .iter()
                .map(|case| (path.parent().unwrap_or(path), case))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let workers = cases
        .len()
        .div_ceil(CASES_PER_ENGINE)
        .clamp(1, MOST_ENGINES);
    let mut judged = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| work(&cases, &next, engine)))
            .collect();
        let mut judged = Vec::with_capacity(cases.len());
        for worker in workers {
            judged.extend(
                worker
                    .join()
                    .map_err(|_panic| anyhow!("an engine died"))??,
            );
        }
        Ok::<_, anyhow::Error>(judged)
    })?;
    judged.sort_by_key(|(number, _)| *number);
    let mut reports = judged.into_iter().map(|(_, report)| report);
    Ok(files
        .iter()
        .map(|(path, cases)| FileResult {
            file: path.display().to_string(),
            cases: reports.by_ref().take(cases.len()).collect(),
        })
        .collect())
}

/// Worker: judges the next case that no other worker took, until none is left. Runs on a thread of its
/// own, since the kernel engine moves its thread into a network namespace.
fn work(
    cases: &[(&Path, &Case)],
    next: &AtomicUsize,
    engine: Engine,
) -> Result<Vec<(usize, CaseResult)>> {
    let mut kernel;
    let mut engines = match engine {
        Engine::Reference => Engines::Reference,
        Engine::Kernel => {
            kernel = KernelEngine::new()?;
            Engines::Kernel(&mut kernel)
        }
        Engine::Both => {
            kernel = KernelEngine::new()?;
            Engines::Both(&mut kernel)
        }
    };
    let mut reports = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some((directory, case)) = cases.get(number) else {
            return Ok(reports);
        };
        let report = cases::run_case(case, directory, &mut engines);
        reports.push((number, CaseResult::from(report)));
    }
}
