//! The grace period of an interface that comes under policy: existing connections are picked up (spec
//! EV-158).

/// End of an interface's grace period; the key of the `GRACE` map is the interface's index.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// Coarse monotonic clock, nanoseconds.
    pub until_ns: u64,
}

abi!(Grace, 8, [u64]);

/// Length of the grace period, nanoseconds: time for several retransmissions of a segment.
pub const GRACE_NS: u64 = 5_000_000_000;

/// Default capacity of the `GRACE` map: interfaces.
pub const MAX_GRACES: u32 = 1024;
