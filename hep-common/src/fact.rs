//! Facts that only the running kernel has, and that the loader writes into the netfilter programs.
//!
//! A program has a mark where a fact belongs: an instruction that moves [`Fact::mark`] to a register, or
//! that calls a helper of this number. No other instruction of these programs has such a number.

/// Above every number that a helper has, and unlike any constant of the programs.
const MARKS: u32 = 0x7e57_fa00;

/// A fact about the running kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Fact {
    /// Where `_nfct` is in `struct sk_buff`, bytes.
    SkbConnection = 0,
    /// Where `cb` is in `struct sk_buff`; it begins with the interface by which IP received the packet.
    SkbControl = 1,
    /// Where `len` is in `struct sk_buff`.
    SkbLength = 2,
    /// Where `in` is in `struct nf_hook_state`.
    StateDevice = 3,
    /// Where `ifindex` is in `struct net_device`.
    DeviceIndex = 4,
    /// Where `tuplehash` is in `struct nf_conn`; 0: the kernel has no connection tracking.
    ConnectionTuples = 5,
    /// The generation under which connections from before the program was attached go on; 0: none.
    SpareGeneration = 6,
    /// The kernel's function `bpf_dynptr_from_skb`: the place of a call, not of a number.
    DynptrFromSkb = 7,
}

impl Fact {
    /// All facts, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::SkbConnection,
        Self::SkbControl,
        Self::SkbLength,
        Self::StateDevice,
        Self::DeviceIndex,
        Self::ConnectionTuples,
        Self::SpareGeneration,
        Self::DynptrFromSkb,
    ];

    /// The number that an instruction has in this fact's place.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the marks are positive")]
    pub const fn mark(self) -> i32 {
        (MARKS | self as u32) as i32
    }
}
