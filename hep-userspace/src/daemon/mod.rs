//! The reconcile loop: the only tasks, timers, clocks and signals.

pub mod host_endpoint;
pub mod netlink;
pub mod state;
pub mod sysctl;
pub mod watch;
