//! `hep validate`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use clap::Args;

use super::{
    Exit, Format, host,
    output::{print, print_json},
};
use crate::{
    model::Position,
    source::{self, File, SourceError},
    validate::{self, Loaded, Problem, Scope, Severity},
};

/// Check policy files without loading them
///
/// A directory is judged as the daemon would load it. Files are judged alone: a tier or profile that
/// they name may be defined elsewhere, which is a warning. Exits with 0 if there is no error and with
/// 3 otherwise.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directories, and *.yaml, *.yml or *.json files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
    /// The host's name in spec.node; by default the kernel's host name in lower case
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<String>,
}

/// What became of judging files.
struct Judged {
    problems: Vec<Problem>,
    resources: usize,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let name = arguments.node.clone().unwrap_or_else(host::host_name);
    let judged = Judged::of(&arguments.paths, name);
    let is_valid = judged.is_valid(arguments.strict);
    judged.print(is_valid, format)?;
    Ok(if is_valid { Exit::Ok } else { Exit::Invalid })
}

/// Judges a directory as this command does, and prints what it prints if it is not valid.
///
/// # Errors
///
/// If it cannot be printed.
pub(super) fn is_valid(directory: &Path, node: &str, format: Format) -> Result<bool> {
    let judged = Judged::of(&[directory.to_path_buf()], node.to_owned());
    let is_valid = judged.is_valid(false);
    if !is_valid {
        judged.print(is_valid, format)?;
    }
    Ok(is_valid)
}

impl Judged {
    fn of(paths: &[PathBuf], node: String) -> Self {
        let node = host::node(node);
        let mut problems = Vec::new();
        let (mut files, mut resources) = (Vec::new(), 0);
        let mut judge = |files: &[File], scope| {
            let Loaded {
                snapshot,
                problems: found,
            } = validate::load(files, &node, scope);
            problems.extend(found);
            resources += snapshot.map_or(0, |snapshot| snapshot.written());
        };
        let mut unreadable = Vec::new();
        for path in paths {
            let read = if path.is_dir() {
                source::read_directory(path).map(|files| judge(&files, Scope::Directory))
            } else {
                source::read_file(path).map(|file| files.push(file))
            };
            unreadable.extend(read.err().map(|error| unreadable_problem(&error)));
        }
        if !files.is_empty() {
            judge(&files, Scope::Files);
        }
        problems.extend(unreadable);
        Self {
            problems,
            resources,
        }
    }

    fn is_valid(&self, strict: bool) -> bool {
        match self.problems.iter().map(|problem| problem.severity).min() {
            Some(Severity::Error) => false,
            Some(Severity::Warning) => !strict,
            Some(Severity::Info) | None => true,
        }
    }

    fn print(&self, is_valid: bool, format: Format) -> Result<()> {
        match format {
            Format::Json => print_json(&self.problems),
            Format::Text => {
                for problem in &self.problems {
                    print(problem)?;
                }
                print(&summary(&self.problems, is_valid, self.resources))
            }
        }
    }
}

fn summary(problems: &[Problem], is_valid: bool, resources: usize) -> String {
    let count = |severity, word: &str| {
        let count = problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count();
        format!("{count} {word}{}", if count == 1 { "" } else { "s" })
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    if is_valid {
        format!("valid: {resources} resources, {warnings}")
    } else {
        format!("invalid: {errors}, {warnings}")
    }
}

fn unreadable_problem(error: &SourceError) -> Problem {
    let place = format!("{}: ", error.path().display());
    let mut message = error.to_string();
    if let Some(reason) = message.strip_prefix(&place) {
        message = reason.to_owned();
    }
    if let SourceError::Io { source, .. } = error {
        message = format!("{message}: {source}");
    }
    Problem {
        severity: Severity::Error,
        code: "E-READ",
        position: Position {
            file: Arc::from(error.path()),
            line: 0,
            column: 0,
        },
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: String::new(),
    }
}
