//! `hep resume`.

use anyhow::Result;
use clap::Args;

use super::{exit::Exit, instance::Instance, order, output::Format};
use crate::daemon::control::Request;

/// End the panic, or follow the policy directory again after a rollback
///
/// Refuses (5) if the directory's policy cuts an administrator's SSH session. Works without the daemon.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
    #[command(flatten)]
    force: order::Force,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    let caller = arguments.force.caller();
    order::give(&arguments.instance, &Request::Resume { caller }, format)
}
