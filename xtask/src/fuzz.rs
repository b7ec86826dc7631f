//! Fuzzing: builds and runs the fuzzer of the `tests` package.

use std::ffi::OsString;

use anyhow::Result;

use crate::{command, setup};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Options of the fuzzer; `--help` lists them
    #[arg(
        value_name = "OPTION",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    options: Vec<OsString>,
}

/// Sets up and runs the fuzzer; a disagreement is written as a case file that `hep test` runs.
///
/// # Errors
///
/// If the engines disagree, something gets past, or the fuzzer cannot run.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the fuzzer loads BPF programs, which")?;
    let environment = setup::run()?;
    let mut cargo = environment.cargo();
    cargo.args(["run", "--release", "--package", "hep-tests"]);
    cargo.args(["--bin", "hep-fuzz", "--"]);
    cargo.args(&arguments.options);
    command::run(&mut cargo)
}
