//! The reconcile loop: its tasks, timers, sockets and signals.
//!
//! ```text
//! store ──files──▶ validate ──snapshot──▶ compile ──generation──▶ kernel ──▶ attach
//! netlink ──interfaces, addresses──────────┘                                  │
//! status ◀── result of the load ──────────────────────────────────────────────┘
//! ```

pub mod clock;
mod conf;
pub mod control;
pub mod effective;
pub mod events;
pub mod feed;
pub mod host_endpoint;
pub mod identity;
mod inputs;
mod listen;
pub mod local_in;
pub mod logging;
pub mod metrics;
pub mod mode;
pub mod netlink;
pub mod newcomers;
mod notifications;
pub mod options;
pub mod panic_mode;
mod phases;
mod preflight;
pub mod purpose;
pub mod reconcile;
pub mod service;
pub mod sockets;
mod ssh;
pub mod state;
pub mod status;
mod summary;
pub mod sysctl;
mod takeover;
pub mod translation;
pub mod warnings;

use std::{io, path::PathBuf};

pub use events::protocol_name;
pub use logging::start as start_logging;
pub use netlink::{HostNetwork, NetworkError, NetworkWatch};
pub use options::{Options, Role};
pub use reconcile::EnforceError;
pub use service::{handle_once, run};
pub use state::{StateError, remove as remove_state};

use crate::{
    store::{Distrust, StoreError},
    validate::Problem,
};

/// Why the daemon could not start, or a load was refused.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used, or belongs to another daemon.
    #[error("state directory")]
    State(#[from] StateError),
    /// Interfaces and addresses cannot be read.
    #[error("network")]
    Network(#[from] NetworkError),
    /// The policy cannot be read.
    #[error("policy directory")]
    Store(#[source] StoreError),
    /// The policy directory is missing or empty, so it is not followed.
    #[error("{}", .0.advice())]
    Untrusted(Distrust),
    /// No policy was ever in force on this host, so there is none to continue with.
    #[error("no policy was in force on this host before; `hep run` brings one into force")]
    NoPolicy,
    /// The policy has errors.
    #[error("the policy is invalid")]
    Invalid(Vec<Problem>),
    /// The policy would cut this host from its own store (spec DS-320).
    #[error(
        "held: {0}; the last policy stays in force until the store changes, or until `hep resume --force`"
    )]
    CutsStore(String),
    /// The policy is valid, but could not be brought into force.
    #[error("enforce the policy")]
    Enforce(#[from] EnforceError),
    /// The control socket could not be created.
    #[error("control socket {}", path.display())]
    Socket {
        /// Path of the socket.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Metrics cannot be served at the configured address.
    #[error("metrics at {address}")]
    Metrics {
        /// The value of `--metrics-listen`.
        address: String,
        /// Cause.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("signal handlers")]
    Signals(#[source] io::Error),
}
