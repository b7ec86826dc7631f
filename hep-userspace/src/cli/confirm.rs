//! `hep confirm`.

use anyhow::Result;
use clap::Args;

use super::{exit::Exit, instance::Instance, order, output::Format};
use crate::daemon::control::Request;

/// Confirm the policy on trial, and write it into the policy directory
///
/// Replaces the policy files of the daemon's policy directory by those on trial; the previous policy
/// stays in `hep history`. Refuses (5) if the directory changed since the trial began.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
    /// Replace the policy directory's files even if they changed since the trial began
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
