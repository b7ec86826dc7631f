//! The command line: one file per subcommand, arguments in, text and exit code out.

mod auto;
mod boot;
mod confirm;
mod diff;
mod down;
mod explain;
mod history;
mod host;
mod instance;
mod live;
mod monitor;
mod order;
mod output;
mod panic;
mod resume;
mod rollback;
mod run;
mod runtime;
mod selector;
mod show;
mod status;
mod table;
mod test;
mod trial;
mod validate;

use std::{io, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

pub use instance::Instance;
pub use output::Format;
use output::complain;
use selector::parse_label;

/// Exit codes. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// A positive answer, or done.
    Ok = 0,
    /// A negative answer, or a failure at run time.
    Negative = 1,
    /// Wrong arguments; clap exits with this number itself.
    Usage = 2,
    /// The input is invalid.
    Invalid = 3,
    /// The daemon cannot be reached.
    Unreachable = 4,
    /// Refused by a safety check.
    Refused = 5,
    /// Applied, but rolled back.
    RolledBack = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A stand-alone host firewall: Calico's policy resources enforced by TC programs.
///
/// Exit codes: 0 yes or done, 1 a negative answer or a failure, 2 usage, 3 invalid input, 4 daemon
/// unreachable, 5 refused by a safety check, 6 applied but rolled back.
#[derive(Debug, Parser)]
#[command(name = "hep", version, max_term_width = 100, propagate_version = true)]
struct Arguments {
    /// Output format
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "HEP_OUTPUT"
    )]
    output: Format,
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
}

impl Command {
    fn run(&self, format: Format) -> Result<Exit> {
        match self {
            Self::Run(arguments) => run::run(arguments, format),
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
        }
    }
}

/// Parses the command line, runs the subcommand and prints its error, if any.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.run(arguments.output) {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&error) => Exit::Ok.into(),
        Err(error) => {
            complain(format_args!("{error:#}"));
            Exit::Negative.into()
        }
    }
}

/// Whether the reader of the output closed the pipe (`hep … | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
