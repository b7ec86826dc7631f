//! Waiting for a ring to fill.
#![expect(
    unsafe_code,
    reason = "tokio asks for a promise that the descriptor stays open"
)]

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// A descriptor of our own for the same ring, which the runtime watches for records.
///
/// # Errors
///
/// The error of the kernel or the runtime.
///
/// # Panics
///
/// Outside a tokio runtime.
pub(crate) fn readable(ring: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let own = ring.try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` stays open, under the same number, until it is dropped, and `AsyncFd`
    // stops watching before it drops what it owns.
    let watched = unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) };
    Ok(watched?)
}
