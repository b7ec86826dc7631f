//! `hep validate`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::{
    Exit, Format,
    auto::AutoHostEndpoint,
    host,
    output::{complain, print, print_json},
};
use crate::{
    compile::{self, Slots},
    daemon::{self, identity, sysctl},
    model::{Interface, NodeName, Origin, Position, Snapshot},
    source::{self, SourceError, Unit},
    validate::{self, Loaded, Problem, Scope, Severity},
};

/// Check policy files without loading them
///
/// A directory is validated as the daemon would load it; if it is for this host, also against the
/// interfaces that it has. Single files are validated alone: a tier or profile that they name may be
/// defined elsewhere, so its absence is a warning. Exits with 0 if there is no error and with 3 otherwise.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directories, and *.yaml, *.yml or *.json files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Node name to validate for, as in spec.node [default: the kernel's host name in lower case]
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<NodeName>,
    #[command(flatten)]
    auto: AutoHostEndpoint,
}

/// The result of validating files.
struct Judged {
    problems: Vec<Problem>,
    resources: usize,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let name = arguments.node.clone().unwrap_or_else(identity::host_name);
    let judged = Judged::of(&arguments.paths, name, Some(&arguments.auto));
    let is_valid = judged.is_valid(arguments.strict);
    judged.print(is_valid, format)?;
    Ok(if is_valid { Exit::Ok } else { Exit::Invalid })
}

/// Validates a directory as this command does, and prints its problems if it is not valid.
///
/// # Errors
///
/// If printing fails.
pub(super) fn is_valid(directory: &Path, node: &NodeName, format: Format) -> Result<bool> {
    let judged = Judged::of(&[directory.to_path_buf()], node.clone(), None);
    let is_valid = judged.is_valid(false);
    if !is_valid {
        judged.print(is_valid, format)?;
    }
    Ok(is_valid)
}

impl Judged {
    /// Validates the paths; with `auto`, directories also as the daemon would load them.
    fn of(paths: &[PathBuf], node: NodeName, auto: Option<&AutoHostEndpoint>) -> Self {
        let node = host::node(node);
        let mut problems = Vec::new();
        let (mut files, mut resources) = (Vec::new(), 0);
        let mut judge = |files: &[Unit], scope| {
            let Loaded {
                snapshot,
                problems: found,
            } = validate::load(files, &node, scope);
            problems.extend(found);
            let Some(snapshot) = snapshot else { return };
            resources += snapshot.written();
            if let (Some(auto), Scope::Directory) = (auto, scope) {
                problems.extend(as_loaded(auto, &snapshot, &node.name));
            }
        };
        let mut unreadable = Vec::new();
        for path in paths {
            let errors = if path.is_dir() {
                let (files, errors) = source::read_what_can_be(path);
                judge(&files, Scope::Directory);
                errors
            } else {
                let read = source::read_file(path).map(|file| files.push(file));
                read.err().into_iter().collect()
            };
            unreadable.extend(errors.iter().map(unreadable_problem));
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
            Some(Severity::Notice) | None => true,
        }
    }

    fn print(&self, is_valid: bool, format: Format) -> Result<()> {
        match format {
            Format::Json => print_json(&self.problems),
            Format::Text => {
                for problem in &self.problems {
                    print(problem)?;
                }
                print(summary(&self.problems, is_valid, self.resources))
            }
        }
    }
}

/// Warnings that the daemon would print about a valid directory. The interfaces are consulted only if
/// `node` is this host.
fn as_loaded(auto: &AutoHostEndpoint, snapshot: &Snapshot, node: &str) -> Vec<Problem> {
    let interfaces = if *node == *identity::host_name() {
        host::interfaces()
            .inspect_err(|error| complain(format_args!("judged without interfaces: {error:#}")))
            .ok()
    } else {
        None
    };
    let known = interfaces.as_deref().unwrap_or_default();
    let snapshot = auto.complete(snapshot, node, known);
    let mut problems = validate::advice(&snapshot, node);
    if let Some(interfaces) = &interfaces {
        problems.extend(compile::warnings(&snapshot, node, interfaces));
        problems.extend(too_large(&snapshot, node, interfaces));
        if !compile::bind(&snapshot, node, interfaces).bound.is_empty() {
            problems.extend(daemon::failsafe_warnings(&snapshot.felix));
        }
    }
    validate::bounded(problems)
}

/// The limit that a valid policy exceeds on these interfaces, if any.
fn too_large(snapshot: &Snapshot, node: &str, interfaces: &[Interface]) -> Option<Problem> {
    let felix = &snapshot.felix;
    let options = compile::Options {
        nd_exempt: true,
        ra_exempt: true,
        revalidate: true,
        bypass_mark: 0,
        deny_events: false,
        any_icmp: false,
        fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
        timeouts: sysctl::timeouts(&felix.timeouts),
    };
    let compiled = compile::compile(snapshot, node, interfaces, &options, &Slots::default());
    compiled.err().map(|error| Problem {
        severity: Severity::Error,
        code: "E-RANGE",
        position: Position::built_in(),
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message: error.to_string(),
        got: None,
        advice: String::new(),
    })
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
    let is_notice = |problem: &Problem| problem.severity == Severity::Notice;
    let notices = if problems.iter().any(is_notice) {
        format!(", {}", count(Severity::Notice, "notice"))
    } else {
        String::new()
    };
    if is_valid {
        format!("valid: {resources} resources, {warnings}{notices}")
    } else {
        format!("invalid: {errors}, {warnings}{notices}")
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
        position: Position::whole(Origin::File(error.path().into())),
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: String::new(),
    }
}
