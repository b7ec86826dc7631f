//! Records on the event ring.

/// Matched `Log` rules that one record lists; further ones are counted.
pub const MAX_LOGGED_RULES: usize = 4;
/// Size of the event ring, bytes.
pub const RING_BYTES: u32 = 1 << 20;
/// Rules whose budgets are remembered; the least recently used are forgotten, and start again with a full
/// budget.
pub const MAX_BUDGETS: u32 = 4096;

/// One packet that a `Log` rule matched, or that was denied while denials are reported.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Coarse monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// Source, network byte order; an IPv4 address is mapped.
    pub src: [u8; 16],
    /// Destination, network byte order; an IPv4 address is mapped.
    pub dst: [u8; 16],
    /// Interface index.
    pub ifindex: u32,
    /// Length of the frame, bytes.
    pub frame_bytes: u32,
    /// Generation that judged.
    pub generation: u32,
    /// Counter slot of the rule that decided; 0 if none did.
    pub slot: u32,
    /// Counter slots of the `Log` rules that matched, in order; unused ones are 0.
    pub logged: [u32; MAX_LOGGED_RULES],
    /// Number of `Log` rules that matched, those beyond `logged` included.
    pub logged_count: u32,
    /// Source port, host byte order; 0 without ports.
    pub src_port: u16,
    /// Destination port, host byte order; 0 without ports.
    pub dst_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// Number of the [`Reason`](crate::counter::Reason) of the verdict.
    pub reason: u8,
    /// Number of the [`Direction`](crate::Direction).
    pub direction: u8,
    /// 1 if the packet was forwarded.
    pub forwarded: u8,
    /// Number of the [`Family`](crate::Family).
    pub family: u8,
    /// 1 if the packet was judged again after the kernel had translated it, by what it is then.
    pub translated: u8,
    /// Always zero.
    pub reserved: [u8; 8],
}

abi!(
    Event,
    96,
    [
        u64, [u8; 16], [u8; 16], u32, u32, u32, u32, [u32; 4], u32, u16, u16, u8, u8, u8, u8, u8,
        u8, u8, u8, [u8; 8]
    ]
);

/// Tokens left for one `Log` rule's records on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogBudget {
    /// Coarse monotonic clock when `tokens` was last refilled, nanoseconds.
    pub refilled_ns: u64,
    /// Records that may still be emitted.
    pub tokens: u32,
    /// Always zero.
    pub reserved: u32,
}

abi!(LogBudget, 16, [u64, u32, u32]);
