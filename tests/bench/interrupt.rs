//! Ctrl-C and SIGTERM: the run ends at the next step, and everything made for it is undone.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};

/// Whether a signal was received.
static CAME: AtomicBool = AtomicBool::new(false);

/// Listens for signals from now on.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| CAME.store(true, Ordering::Relaxed)).context("listen for signals")
}

/// Passes until a signal was received.
///
/// # Errors
///
/// If one was.
pub(crate) fn check() -> Result<()> {
    if CAME.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}
