//! The reconcile loop: the only tasks, timers, clocks and signals.

pub mod netlink;
