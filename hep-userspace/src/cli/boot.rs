//! `hep boot`.

use anyhow::Result;
use clap::Args;

use super::{Exit, Instance, order, output::complain, runtime};
use crate::daemon;

/// Enforce the policy that was in force last, until the daemon takes over
///
/// For the time before the network, and what the policy directory is on, are up: needs nothing but
/// the state directory, and does as the last daemon was told. Follows the interfaces as they appear.
/// `hep run` takes over without a gap. Fails if no policy was ever in force here.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let Some(mut options) = order::last_options(&arguments.instance)? else {
        complain(format_args!(
            "{} holds no policy; `hep run` keeps it there",
            arguments.instance.state_dir.display()
        ));
        return Ok(Exit::Negative);
    };
    options.policy_dir = None;
    daemon::start_logging();
    let runtime = runtime::of_daemon()?;
    runtime.block_on(daemon::run(options))?;
    Ok(Exit::Ok)
}
