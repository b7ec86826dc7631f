//! The tokio runtimes of commands and of the daemon.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};

/// Runtime of a command: the current thread only.
///
/// # Errors
///
/// If the runtime cannot be created.
pub(super) fn of_command() -> Result<Runtime> {
    start(Builder::new_current_thread())
}

/// Runtime of a daemon: two worker threads, so that it answers while it reads the policy.
///
/// # Errors
///
/// If the runtime cannot be created.
pub(super) fn of_daemon() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    start(builder)
}

fn start(mut builder: Builder) -> Result<Runtime> {
    builder.enable_all().build().context("start the runtime")
}
