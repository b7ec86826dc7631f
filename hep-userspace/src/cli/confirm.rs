//! `hep confirm`.

use anyhow::Result;
use clap::Args;

use super::{Exit, Format, Instance, order};
use crate::daemon::control::Request;

/// Keep the policy on trial
///
/// Puts its files into the daemon's policy directory, so that it is what the directory says; what
/// was there stays in `hep history`. Refuses (5) if the directory changed since the trial began.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
    /// Replace what the policy directory holds even if it changed since the trial began
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let request = Request::Confirm {
        generation: None,
        force: arguments.force,
    };
    order::give(&arguments.instance, &request, format)
}
