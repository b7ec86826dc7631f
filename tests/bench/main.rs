//! What a packet costs: `cargo xtask bench`.
//!
//! Every figure is a ratio within one run: the programs of a table are run in turns, round by round,
//! so that whatever else the machine does meets all of them.

mod bed;
mod expectation;
mod micro;
mod plane;
mod policy;
mod table;
mod turns;

use anyhow::Result;
use clap::Parser;

#[derive(Parser)]
#[command(about = "What a packet costs, in multiples of an empty program")]
struct Arguments {
    /// Fewer rounds: less exact, done within two minutes
    #[arg(long)]
    quick: bool,
    /// Fail if a ratio is above its committed expectation
    #[arg(long)]
    check: bool,
    /// Passed by cargo; no meaning here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = if arguments.quick {
        turns::QUICK
    } else {
        turns::FULL
    };
    let figures = micro::run(effort)?;
    plane::run(arguments.quick)?;
    if arguments.check {
        expectation::check(&figures, arguments.quick)?;
    }
    Ok(())
}
