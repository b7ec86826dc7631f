//! Facts about the running kernel that the loader writes into the netfilter programs.
//!
//! A program has a mark where a fact belongs: an instruction that moves [`Fact::mark`] to a register, or
//! that calls a helper of this number. No other instruction of these programs has such a number.

/// Above the number of every helper, and unlike any constant of the programs.
const MARKS: u32 = 0x7e57_fa00;

/// A fact about the running kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Fact {
    /// Offset of `_nfct` in `struct sk_buff`, bytes.
    SkbConnection = 0,
    /// Offset of `cb` in `struct sk_buff`, which begins with the index of the interface that IP received the
    /// packet on.
    SkbControl = 1,
    /// Offset of `len` in `struct sk_buff`.
    SkbLength = 2,
    /// Offset of `in` in `struct nf_hook_state`.
    StateDevice = 3,
    /// Offset of `ifindex` in `struct net_device`.
    DeviceIndex = 4,
    /// Offset of `tuplehash` in `struct nf_conn`; 0: the kernel has no connection tracking.
    ConnectionTuples = 5,
    /// The generation under which connections from before the program was attached continue; 0: none.
    SpareGeneration = 6,
    /// Number of the kernel function `bpf_dynptr_from_skb`; its mark is in a call instruction.
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

    /// The placeholder number in an instruction that this fact completes.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the marks are positive")]
    pub const fn mark(self) -> i32 {
        (MARKS | self as u32) as i32
    }
}
