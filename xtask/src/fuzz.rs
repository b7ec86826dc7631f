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
    let hep = ["--package", "hep-userspace", "--bin", "hep", "--release"];
    let is_oracle = |option: &OsString| option.to_string_lossy().starts_with("--oracle");
    if arguments.options.iter().any(is_oracle) {
        command::run(environment.cargo().arg("build").args(hep))?;
    }
    let mut cargo = environment.cargo();
    let built = crate::workspace().join("target/release/hep");
    cargo.env("HEP_BIN", built);
    cargo.args(["run", "--release", "--package", "hep-tests"]);
    cargo.args(["--bin", "hep-fuzz", "--"]);
    cargo.args(&arguments.options);
    command::run(&mut cargo)
}
