//! The runtimes that commands run futures on.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};

/// That of a command: this thread.
///
/// # Errors
///
/// If the kernel refuses what it needs.
pub(super) fn of_command() -> Result<Runtime> {
    start(Builder::new_current_thread())
}

/// That of a daemon: reading the policy does not keep it from answering.
///
/// # Errors
///
/// As [`of_command`].
pub(super) fn of_daemon() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    start(builder)
}

fn start(mut builder: Builder) -> Result<Runtime> {
    builder.enable_all().build().context("start the runtime")
}
