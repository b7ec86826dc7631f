//! What packets, loads of policy and memory cost: `cargo xtask bench`.
//!
//! Every figure is a ratio within one run wherever it can be: what is compared takes turns, round by
//! round, so that whatever else the machine does meets all of it.

mod bed;
mod expectation;
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
mod turns;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "What packets, loads of policy and memory cost")]
struct Arguments {
    /// Fewer rounds and sizes: less exact, done within two minutes
    #[arg(long)]
    quick: bool,
    /// Fail if a figure is above what is accepted in tests/bench/expectations.json
    #[arg(long)]
    check: bool,
    /// Only these parts
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Of part live, only what has this in its title: "IPv6", "set of", "established"
    #[arg(long, default_value = "")]
    only: String,
    /// In part live, also measure this other build of hep, in turns with this one
    #[arg(long)]
    against: Option<PathBuf>,
    /// Where plots go; without it, a full run puts them into tests/bench/plots
    #[arg(long)]
    plots: Option<PathBuf>,
    /// Passed by cargo; no meaning here
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
    /// What the kernel's maps take
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
        let effort = if quick { turns::QUICK } else { turns::FULL };
        figures.extend(micro::run(effort)?);
    }
    if takes(Part::Plane) {
        plane::run(quick, &mut figures)?;
    }
    if takes(Part::Live) {
        let mut yardsticks = bed::Yardsticks::load()?;
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
