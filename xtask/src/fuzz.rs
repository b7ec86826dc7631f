//! Differential fuzzing: builds and runs the fuzzer of the `tests` package.

use anyhow::Result;

use crate::{command, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long; without --minutes and --sets one minute
    #[arg(long, value_name = "NUMBER")]
    minutes: Option<f64>,
    /// How many sets of resources
    #[arg(long, value_name = "NUMBER")]
    sets: Option<u64>,
    /// How many packets for each set
    #[arg(long, value_name = "NUMBER")]
    packets: Option<u64>,
    /// The first seed; a disagreement is repeated by its own
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// Sets up and runs the fuzzer; a disagreement is written as a case file that `hep test` runs.
///
/// # Errors
///
/// If the engines disagree, or the fuzzer cannot run.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the fuzzer loads BPF programs, which")?;
    let environment = setup::run()?;
    let mut cargo = environment.cargo();
    cargo.args(["run", "--release", "--package", "hep-tests"]);
    cargo.args(["--bin", "hep-fuzz", "--"]);
    if let Some(minutes) = arguments.minutes {
        cargo.arg("--minutes").arg(minutes.to_string());
    }
    for (option, number) in [
        ("--sets", arguments.sets),
        ("--packets", arguments.packets),
        ("--seed", arguments.seed),
    ] {
        if let Some(number) = number {
            cargo.arg(option).arg(number.to_string());
        }
    }
    command::run(&mut cargo)
}
