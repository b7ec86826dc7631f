//! Shared parts of the suites: namespaces, links, probes, packets, policy directories, the daemon.
//!
//! Everything here undoes itself on drop, also when a test panics, and carries names of its own, so that
//! tests run at once. It needs root: network namespaces, veth pairs, packet sockets and BPF.

pub mod address;
pub mod age;
pub mod bench;
pub mod connection;
pub mod daemon;
pub mod differential;
pub mod hep;
mod hook;
pub mod link;
pub mod namespace;
pub mod oracle;
pub mod packet;
pub mod policy;
pub mod probe;
pub mod program;
pub mod receiver;
pub mod schema;
pub mod server;
pub mod shared;
mod snapshot;
pub mod topology;
pub mod tun;

use std::time::{Duration, Instant};

/// Asks every few milliseconds until `condition` holds, at most for `limit`; whether it did.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
