//! Verdicts of first fragments, for the later ones (spec EV-179).

/// Identifies a fragmented packet at one hook.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// Source, network byte order; an IPv4 address is mapped.
    pub src: [u8; 16],
    /// Destination, network byte order; an IPv4 address is mapped.
    pub dst: [u8; 16],
    /// Interface index.
    pub ifindex: u32,
    /// The identification field, host byte order.
    pub id: u32,
    /// Number of the [`Direction`](crate::Direction).
    pub direction: u8,
    /// IANA number of the upper-layer protocol.
    pub protocol: u8,
    /// Always zero.
    pub reserved: [u8; 2],
}

abi!(
    FragmentKey,
    44,
    [[u8; 16], [u8; 16], u32, u32, u8, u8, [u8; 2]]
);

/// Verdict of a first fragment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentVerdict {
    /// Coarse monotonic clock at the first fragment, nanoseconds.
    pub seen_ns: u64,
    /// Number of the [`Reason`](crate::counter::Reason) of its verdict.
    pub reason: u8,
    /// Always zero.
    pub reserved: [u8; 7],
}

abi!(FragmentVerdict, 16, [u64, u8, [u8; 7]]);

/// Capacity of the table of fragmented packets.
pub const MAX_FRAGMENTED: u32 = 10_240;
