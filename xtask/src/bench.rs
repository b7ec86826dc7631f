//! Costs of packets, loads and memory: builds and runs the benches of the `tests` package.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{command, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run fewer rounds and sizes: less exact, done within two minutes
    #[arg(long)]
    quick: bool,
    /// Fail if a figure is above what is accepted in tests/bench/expectations.json
    #[arg(long)]
    check: bool,
    /// Run only this part; may be repeated: micro, plane, live, memory, scale
    #[arg(long)]
    part: Vec<String>,
    /// In part live, run only comparisons with this in their title, such as "IPv6", "set of", "established"
    #[arg(long)]
    only: Option<String>,
    /// In part live, also measure this other build of hep, alternating with this one
    #[arg(long)]
    against: Option<PathBuf>,
    /// Directory for plots; by default, a full run writes them to tests/bench/plots
    #[arg(long)]
    plots: Option<PathBuf>,
}

/// Sets up and runs the benches.
///
/// # Errors
///
/// If they fail, or a figure is not as expected.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::require_root("the benches load BPF programs, which")?;
    let environment = setup::run()?;
    setup::peers()?;
    let mut cargo = environment.cargo();
    cargo.args(["bench", "--package", "hep-tests", "--bench", "cost", "--"]);
    for (wanted, flag) in [(arguments.quick, "--quick"), (arguments.check, "--check")] {
        if wanted {
            cargo.arg(flag);
        }
    }
    for part in &arguments.part {
        cargo.args(["--part", part]);
    }
    if let Some(title) = &arguments.only {
        cargo.args(["--only", title]);
    }
    // Benches run in the directory of their package.
    if let Some(binary) = &arguments.against {
        let binary = std::path::absolute(binary).context("find the other build")?;
        cargo.arg("--against").arg(binary);
    }
    if let Some(directory) = &arguments.plots {
        let directory = std::path::absolute(directory).context("find the directory of plots")?;
        cargo.arg("--plots").arg(directory);
    }
    command::run(&mut cargo)
}
