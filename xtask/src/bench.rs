//! What a packet costs: builds and runs the benches of the `tests` package.

use anyhow::Result;

use crate::{command, setup};

#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Arguments {
    /// Fewer rounds: less exact, done within two minutes
    #[arg(long)]
    quick: bool,
    /// Fail if a ratio is above its committed expectation
    #[arg(long)]
    check: bool,
}

/// Sets up and runs the benches.
///
/// # Errors
///
/// If they fail, or a figure is not as expected.
pub(crate) fn run(arguments: Arguments) -> Result<()> {
    setup::require_root("the benches load BPF programs, which")?;
    let environment = setup::run()?;
    let mut cargo = environment.cargo();
    cargo.args(["bench", "--package", "hep-tests", "--bench", "cost", "--"]);
    for (wanted, flag) in [(arguments.quick, "--quick"), (arguments.check, "--check")] {
        if wanted {
            cargo.arg(flag);
        }
    }
    command::run(&mut cargo)
}
