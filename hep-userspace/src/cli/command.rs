//! The command line as a whole: parses it, runs the subcommand, and prints its error.

use std::{io, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use super::{
    boot, confirm, diff, down,
    exit::Exit,
    explain, history, monitor,
    output::{Format, emit_failure},
    panic, resume, rollback, run, schemas, selector, show, status, test, trial, validate, verbs,
};
use crate::view::{Failure, FailureKind};

/// A stand-alone host firewall: Calico's policy resources enforced by TC programs.
///
/// Exit codes: 0 yes or done, 1 a negative answer or a failure, 2 usage, 3 invalid input, 4 daemon
/// unreachable, 5 refused by a safety check, 6 applied but rolled back.
#[derive(Debug, Parser)]
#[command(name = "hep", version, max_term_width = 100, propagate_version = true)]
struct Arguments {
    /// Output format: text or json; `hep get` has others, see there [env: HEP_OUTPUT] [default: text]
    #[arg(short, long, global = true, value_name = "FORMAT")]
    output: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Status(status::Arguments),
    Show(show::Arguments),
    Validate(validate::Arguments),
    Selector(selector::Arguments),
    Test(test::Arguments),
    Explain(explain::Arguments),
    Diff(diff::Arguments),
    Monitor(monitor::Arguments),
    Try(trial::Arguments),
    Confirm(confirm::Arguments),
    History(history::Arguments),
    Rollback(rollback::Arguments),
    Panic(panic::Arguments),
    Resume(resume::Arguments),
    Boot(boot::Arguments),
    Down(down::Arguments),
    Schemas(schemas::Arguments),
    #[command(flatten)]
    Verb(Verb),
}

/// Commands on the resources of a store, which print their own errors.
#[derive(Debug, Subcommand)]
enum Verb {
    Get(verbs::Get),
    Create(verbs::Create),
    Apply(verbs::Apply),
    Replace(verbs::Replace),
    Patch(verbs::Patch),
    Delete(verbs::Delete),
    Label(verbs::Label),
    Version(verbs::Version),
    Datastore(verbs::Datastore),
}

impl Command {
    fn run(&self, format: Format) -> Result<Exit> {
        match self {
            Self::Run(arguments) => run::run(arguments),
            Self::Status(arguments) => status::run(arguments, format),
            Self::Show(arguments) => show::run(arguments, format),
            Self::Down(arguments) => down::run(arguments, format),
            Self::Selector(arguments) => selector::run(arguments, format),
            Self::Validate(arguments) => validate::run(arguments, format),
            Self::Test(arguments) => test::run(arguments, format),
            Self::Explain(arguments) => explain::run(arguments, format),
            Self::Diff(arguments) => diff::run(arguments, format),
            Self::Monitor(arguments) => monitor::run(arguments, format),
            Self::Try(arguments) => trial::run(arguments, format),
            Self::Confirm(arguments) => confirm::run(arguments, format),
            Self::History(arguments) => history::run(arguments, format),
            Self::Rollback(arguments) => rollback::run(arguments, format),
            Self::Panic(arguments) => panic::run(arguments, format),
            Self::Resume(arguments) => resume::run(arguments, format),
            Self::Boot(arguments) => boot::run(arguments),
            Self::Schemas(arguments) => schemas::run(arguments),
            Self::Verb(verb) => Ok(verb.run(None)),
        }
    }
}

impl Verb {
    fn run(&self, output: Option<&str>) -> Exit {
        match self {
            Self::Get(verb) => verb.run(output),
            Self::Create(verb) => verb.run(),
            Self::Apply(verb) => verb.run(),
            Self::Replace(verb) => verb.run(),
            Self::Patch(verb) => verb.run(),
            Self::Delete(verb) => verb.run(),
            Self::Label(verb) => verb.run(),
            Self::Version(verb) => verb.run(),
            Self::Datastore(verb) => verb.run(),
        }
    }
}

/// Parses the command line, runs the subcommand and prints its error, if any.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return wrong_usage(&error),
        // Help and version.
        Err(error) => error.exit(),
    };
    if let Command::Verb(verb) = &arguments.command {
        return verb.run(arguments.output.as_deref()).into();
    }
    let format = match Format::named(arguments.output.as_deref()) {
        Ok(format) => format,
        Err(text) => {
            let mut command = <Arguments as clap::CommandFactory>::command();
            return wrong_usage(&command.error(clap::error::ErrorKind::InvalidValue, text));
        }
    };
    let error = match arguments.command.run(format) {
        Ok(exit) => return exit.into(),
        Err(error) if is_closed_pipe(&error) => return Exit::Ok.into(),
        Err(error) => error,
    };
    let failure = error
        .downcast::<Failure>()
        .unwrap_or_else(|error| Failure::new(FailureKind::Failed, format!("{error:#}")));
    // Nobody reads the output any more if this fails; the exit code says the same.
    drop(emit_failure(&failure, format));
    Exit::from(failure.error.kind).into()
}

/// Prints what is wrong about the command line.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    let format = Format::of_arguments(std::env::args().skip(1));
    if format == Format::default() {
        // In colour, where the terminal has it.
        drop(error.print());
        return usage().into();
    }
    let failure = Failure::new(FailureKind::Usage, error.to_string().trim_end());
    drop(emit_failure(&failure, format));
    usage().into()
}

/// The exit code of wrong usage: of the verbs that of calicoctl, whose scripts know no other (spec DS-201).
fn usage() -> Exit {
    const VERBS: [&str; 9] = [
        "get",
        "create",
        "apply",
        "replace",
        "patch",
        "delete",
        "label",
        "version",
        "datastore",
    ];
    match std::env::args().nth(1) {
        Some(word) if VERBS.contains(&&*word) => Exit::Negative,
        _ => Exit::Usage,
    }
}

/// Whether the reader of the output closed the pipe (`hep … | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
