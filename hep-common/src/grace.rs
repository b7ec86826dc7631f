//! The first seconds of an interface under policy, in which connections from before are taken up (spec
//! EV-158).

/// Until when an interface has its first seconds; the key of the `GRACE` map is the interface's index.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// Coarse monotonic clock, nanoseconds.
    pub until_ns: u64,
}

abi!(Grace, 8, [u64]);

/// How long the first seconds are, nanoseconds: time for several repetitions of a segment.
pub const GRACE_NS: u64 = 5_000_000_000;

/// Default capacity of the `GRACE` map: interfaces.
pub const MAX_GRACES: u32 = 1024;
