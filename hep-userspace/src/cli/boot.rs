//! `hep boot`.

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Exit, Instance, order};
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
        eprintln!(
            "hep: {} holds no policy; `hep run` keeps it there",
            arguments.instance.state_dir.display()
        );
        return Ok(Exit::Negative);
    };
    options.policy_dir = None;
    daemon::start_logging();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(daemon::run(options))?;
    Ok(Exit::Ok)
}
