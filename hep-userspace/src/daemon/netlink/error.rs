//! Errors of reading and following the network.

use std::io;

/// Reason why the interfaces could not be read or followed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A netlink socket could not be opened.
    #[error("open a netlink socket")]
    Socket(#[source] io::Error),
    /// A dump failed.
    #[error("read {what} through netlink")]
    Dump {
        /// Kind of objects that were to be read.
        what: &'static str,
        /// Cause.
        source: Box<rtnetlink::Error>,
    },
    /// The socket of notifications broke.
    #[error("the netlink socket of notifications was closed")]
    Closed,
}
