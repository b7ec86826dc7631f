//! `hep panic`.

use anyhow::Result;
use clap::Args;

use super::{exit::Exit, instance::Instance, order, output::Format};
use crate::daemon::control::Request;

/// Let only failsafes and established flows pass, on every interface, until `hep resume`
///
/// Survives restarts of the daemon and of the host. Ends a trial. Works without the daemon.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<Exit> {
    order::give(&arguments.instance, &Request::Panic, format)
}
