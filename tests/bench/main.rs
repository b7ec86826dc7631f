//! Costs of packets, loads of policy and memory: `cargo xtask bench`.
//!
//! Every figure is a ratio within one run wherever it can be: the compared parties take turns, round by
//! round, so that other load on the machine affects all of them.

mod expectation;
mod fixture;
mod interleave;
mod interrupt;
mod kernel_maps;
mod live;
mod memory;
mod micro;
mod plane;
mod plot;
mod policy;
mod process;
mod scale;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "What packets, loads of policy and memory cost")]
struct Arguments {
    /// Run fewer rounds and sizes: less exact, done within two minutes
    #[arg(long)]
    quick: bool,
    /// Fail if a figure is above what is accepted in tests/bench/expectations.json
    #[arg(long)]
    check: bool,
    /// Run only this part; may be repeated
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// In part live, run only comparisons with this in their title, such as "IPv6", "set of", "established"
    #[arg(long, default_value = "")]
    only: String,
    /// In part live, also measure this other build of hep, alternating with this one
    #[arg(long)]
    against: Option<PathBuf>,
    /// Directory for plots; by default, a full run writes them to tests/bench/plots
    #[arg(long)]
    plots: Option<PathBuf>,
    /// Passed by cargo; ignored
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The programs alone, by BPF_PROG_TEST_RUN
    Micro,
    /// From files to a policy in force
    Plane,
    /// Packets on their way through a network namespace, with hep and with its peers
    Live,
    /// Memory of the kernel's maps
    Memory,
    /// Many interfaces
    Scale,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let takes = |part| arguments.part.is_empty() || arguments.part.contains(&part);
    let quick = arguments.quick;
    let mut figures = expectation::Figures::new();
    interrupt::listen()?;
    if takes(Part::Micro) {
        let effort = if quick {
            interleave::QUICK
        } else {
            interleave::FULL
        };
        figures.extend(micro::run(effort)?);
    }
    if takes(Part::Plane) {
        plane::run(quick, &mut figures)?;
    }
    if takes(Part::Live) {
        let mut yardsticks = fixture::Yardsticks::load()?;
        let outcomes = live::run(
            quick,
            &arguments.only,
            arguments.against.as_deref(),
            &mut yardsticks,
            &mut figures,
        )?;
        let usual = (!quick).then(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/plots"));
        if let Some(directory) = arguments.plots.or(usual) {
            plot::draw(&outcomes, &directory)?;
        }
    }
    if takes(Part::Memory) {
        memory::run(quick, &mut figures)?;
    }
    if takes(Part::Scale) {
        scale::run(quick, &mut figures)?;
    }
    let whole = arguments.part.is_empty() && arguments.only.is_empty();
    let wrong = expectation::compare(&figures, quick, whole)?;
    if arguments.check {
        expectation::check(&wrong)?;
    }
    Ok(())
}
