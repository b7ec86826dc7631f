//! `hep boot`.

use anyhow::{Result, bail};
use clap::Args;

use super::{exit::Exit, instance::Instance, order, runtime};
use crate::daemon::{self, Role};

/// Enforce the last policy in force until the daemon takes over
///
/// For early boot, before the network is up and the policy directory is mounted: needs only the state
/// directory, and uses the options of the last daemon. Follows interfaces as they appear. `hep run`
/// takes over without a gap. Fails if no policy was ever in force here.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: Instance,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit> {
    let Some(mut options) = order::last_options(&arguments.instance)? else {
        bail!(
            "{} holds no policy; `hep run` keeps it there",
            arguments.instance.state_dir.display()
        );
    };
    options.role = Role::Boot;
    daemon::start_logging();
    let runtime = runtime::of_daemon()?;
    runtime.block_on(daemon::run(options))?;
    Ok(Exit::Ok)
}
