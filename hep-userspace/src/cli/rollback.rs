//! `hep rollback`.

use anyhow::Result;
use clap::Args;

use super::{exit::Exit, instance::Instance, order, output::Format};
use crate::daemon::control::Request;

/// Bring an earlier policy back at once, or end the trial
///
/// The policy directory is not changed, and not followed until its content changes or `hep resume`
/// runs. Refuses (5) a policy that cuts an administrator's SSH session. Works without the daemon.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Generation to roll back to, from `hep history` [default: the last good one before the one in
    /// force]
    #[arg(value_name = "GENERATION", value_parser = clap::value_parser!(u32).range(1..))]
    generation: Option<u32>,
    #[command(flatten)]
    instance: Instance,
    #[command(flatten)]
    force: order::Force,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let request = Request::Rollback {
        generation: arguments.generation,
        caller: arguments.force.caller(),
    };
    order::give(&arguments.instance, &request, format)
}
