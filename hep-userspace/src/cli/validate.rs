//! `hep validate`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::{
    auto::AutoHostEndpoint,
    exit::Exit,
    host,
    output::{Format, Text, complain, emit},
};
use crate::{
    compile::{self, Slots},
    daemon::{
        effective::{self, Host},
        identity, sysctl, warnings,
    },
    model::{Behaviour, Interface, NodeName, Origin, Position, Snapshot},
    printable,
    source::Unit,
    store::directory::{self, ReadError},
    validate::{self, Code, Loaded, Problem, Scope, Severity},
    view::{Codes, Failure, Validation},
};

/// Check policy files without loading them
///
/// A directory is validated as the daemon would load it; if it is for this host, also against the
/// interfaces that it has. Single files are validated alone: a tier or profile that they name may be
/// defined elsewhere, so its absence is a warning. Exits with 0 if there is no error and with 3 otherwise.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Directories, and *.yaml, *.yml or *.json files
    #[arg(value_name = "PATH", required_unless_present = "list_codes")]
    paths: Vec<PathBuf>,
    /// Print the codes of problems with their meanings, as Markdown, and exit
    #[arg(long)]
    list_codes: bool,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Node name to validate for, as in spec.node [default: the kernel's host name in lower case]
    #[arg(long, value_name = "NAME", env = "HEP_NODE")]
    node: Option<NodeName>,
    /// State directory of this host's daemon, where the name of its node is
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/hep",
        env = "HEP_STATE_DIR"
    )]
    state_dir: PathBuf,
    #[command(flatten)]
    auto: AutoHostEndpoint,
}

/// The result of validating files.
struct Judged {
    problems: Vec<Problem>,
    resources: usize,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    if arguments.list_codes {
        emit(&Codes::all(), format)?;
        return Ok(Exit::Ok);
    }
    let name = arguments.node.clone().unwrap_or_else(identity::host_name);
    let judged = Judged::of(&arguments.paths, name, Some(arguments));
    let validation = Validation::new(&judged.problems, judged.resources, arguments.strict);
    emit(&validation, format)?;
    Ok(if validation.valid {
        Exit::Ok
    } else {
        Exit::Invalid
    })
}

impl Text for Codes {
    fn text(&self) -> String {
        validate::code_page().trim_end().to_owned()
    }
}

/// Validates a directory as this command does.
///
/// # Errors
///
/// [`Failure`] with the problems of a directory that is not valid.
pub(super) fn check(directory: &Path, node: &NodeName) -> Result<(), Failure> {
    let judged = Judged::of(&[directory.to_path_buf()], node.clone(), None);
    if Validation::new(&judged.problems, judged.resources, false).valid {
        return Ok(());
    }
    let message = format!("{} is not a valid policy", directory.display());
    Err(Failure::invalid(message, &judged.problems))
}

impl Judged {
    /// Validates the paths; with `arguments`, directories also as the daemon would load them.
    fn of(paths: &[PathBuf], node: NodeName, arguments: Option<&Arguments>) -> Self {
        let node = host::node(node);
        let mut problems = Vec::new();
        let (mut files, mut resources) = (Vec::new(), 0);
        let mut judge = |files: &[Unit], scope| {
            let Loaded {
                snapshot,
                problems: found,
                ..
            } = validate::load(files, &node, scope);
            problems.extend(found);
            let Some(snapshot) = snapshot else { return };
            resources += snapshot.written();
            if let (Some(arguments), Scope::Directory) = (arguments, scope) {
                problems.extend(as_loaded(arguments, &snapshot, &node.name));
            }
        };
        let mut unreadable = Vec::new();
        for path in paths {
            let errors = if path.is_dir() {
                let (files, errors) = directory::read_what_can_be(path);
                judge(&files, Scope::Directory);
                errors
            } else {
                let read = directory::read_file(path).map(|file| files.push(file));
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
}

/// Warnings that the daemon would print about a valid directory. The interfaces are consulted only if
/// `node` is this host, by its name or as the node of the daemon that ran here last.
fn as_loaded(arguments: &Arguments, snapshot: &Snapshot, node: &str) -> Vec<Problem> {
    let interfaces = if identity::is_this_host(node, &arguments.state_dir) {
        host::interfaces()
            .inspect_err(|error| complain(format_args!("judged without interfaces: {error:#}")))
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    let labels = arguments.auto.labels();
    let host = Host {
        node,
        interfaces: &interfaces,
        generated: labels.as_ref(),
    };
    let mut problems = warnings::all(snapshot, &host);
    if !interfaces.is_empty() {
        let snapshot = effective::completed(snapshot, &host);
        problems.extend(too_large(&snapshot, node, &interfaces));
    }
    validate::bounded(problems)
}

/// The limit that a valid policy exceeds on these interfaces, if any.
fn too_large(snapshot: &Snapshot, node: &str, interfaces: &[Interface]) -> Option<Problem> {
    let felix = &snapshot.felix;
    let options = compile::Options {
        behaviour: Behaviour::default(),
        any_icmp: false,
        fragment_timeout: sysctl::fragment_timeout(felix.fragment_timeout),
        timeouts: sysctl::timeouts(&felix.timeouts),
    };
    let compiled = compile::compile(snapshot, node, interfaces, &options, &Slots::default());
    compiled.err().map(|error| Problem {
        severity: Severity::Error,
        code: Code::Range,
        position: Position::built_in(),
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message: error.to_string(),
        got: None,
        advice: String::new(),
    })
}

impl Text for Validation {
    fn text(&self) -> String {
        let problems = self.problems.iter().map(|problem| problem.text.clone());
        printable::lines(problems.chain([summary(self)]))
    }
}

fn summary(validation: &Validation) -> String {
    let counted = |count: usize, word: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {word}{plural}")
    };
    let warnings = counted(validation.warnings, "warning");
    let notices = match validation.notices {
        0 => String::new(),
        count => format!(", {}", counted(count, "notice")),
    };
    if validation.valid {
        let resources = validation.resources;
        format!("valid: {resources} resources, {warnings}{notices}")
    } else {
        let errors = counted(validation.errors, "error");
        format!("invalid: {errors}, {warnings}{notices}")
    }
}

fn unreadable_problem(error: &ReadError) -> Problem {
    let place = format!("{}: ", error.path().display());
    let mut message = error.to_string();
    if let Some(reason) = message.strip_prefix(&place) {
        message = reason.to_owned();
    }
    if let ReadError::Io { source, .. } = error {
        message = format!("{message}: {source}");
    }
    Problem {
        severity: Severity::Error,
        code: Code::Unreadable,
        position: Position::whole(Origin::File(error.path().into())),
        kind: String::new(),
        name: String::new(),
        field: String::new(),
        message,
        got: None,
        advice: String::new(),
    }
}
