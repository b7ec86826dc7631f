//! Address → class: one partition of each family's address space.
//!
//! Two addresses share a class if no rule of the generation distinguishes them. The structure is DXR (Zec,
//! Rizzo, Mikuc: "DXR: towards a billion routing lookups per second in software", CCR 2012): the top 16 bits
//! of an address index an array of [`Run`]s; a run is either one class, or a sorted slice of ranges, and
//! bisection finds the last range that starts at or before the rest of the address. IPv6 chains three such
//! steps over bits 0–31, 32–63 and 64–127. A run of the middle step may be as long as the whole policy, so a
//! long run is split the same way: the next bits of the address index a *fork*, an array of
//! [leads](Range6Top::lead). Each lead points to a short run, to another fork, or directly to the target of a
//! single range. The first range of a run is the default for all values that its other ranges do not cover;
//! those are *islands* or single *hosts*. A network or an address of a scattered set thus takes one range,
//! and most look-ups end at the one place that holds it.
//!
//! Array maps round values up to 8 bytes, so ranges are packed into blocks of a page: the first steps of a
//! bisection go from block to block, one look-up each; the rest stay within a block.

/// A class number. Class 0 holds the addresses that no rule mentions.
pub type AddressClass = u16;

/// Entries in the root arrays of both families: one per value of the top 16 bits.
pub const ROOT_LEN: u32 = 1 << 16;

/// [`Range4`]s per block.
pub const RANGES4_PER_BLOCK: u32 = 1024;
/// [`Range6Top`]s per block.
pub const RANGES6_TOP_PER_BLOCK: u32 = 512;
/// [`Range6Mid`]s per block.
pub const RANGES6_MID_PER_BLOCK: u32 = 256;
/// [`Range6Low`]s per block.
pub const RANGES6_LOW_PER_BLOCK: u32 = 256;

/// Most steps a bisection takes: enough for 2^22 ranges in one run.
pub const MAX_BISECTION_STEPS: u32 = 23;

/// Most forks on the way to a run of the middle stage.
pub const MAX_FORKS: u32 = 4;

/// Marks a [`Target`] as a place in the next stage instead of a class.
pub const TARGET_IS_RUN: u32 = 1 << 31;

/// Marks the [`Target`] of a lead as the place of a fork.
pub const TARGET_IS_FORK: u32 = 1 << 30;

/// Marks the [`Target`] of a [`Range6Mid`] that ends with a value of its own.
pub const TARGET_IS_ISLAND: u32 = 1 << 29;

/// Marks the [`Target`] of a [`Range6Mid`], a class, that is for one address only.
pub const TARGET_IS_HOST: u32 = 1 << 28;

/// The bits of a [`Target`] that are an index, or a class.
pub const TARGET_INDEX: u32 = !(TARGET_IS_RUN | TARGET_IS_FORK | TARGET_IS_ISLAND | TARGET_IS_HOST);

/// Target of a range of an IPv6 stage: a class or, with [`TARGET_IS_RUN`] set, an index into the next stage.
/// From the top stage that is the index of a [lead](Range6Top::lead); from the middle stage, that of the
/// header of a run in the low stage, whose `start` is the number of ranges that follow.
pub type Target = u32;

/// One root entry: where the ranges of this /16 are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Index of the first range; if `len` is 0, the class of the whole /16 instead (IPv6: a
    /// [`Target`], which leads to the middle stage if [`TARGET_IS_RUN`] is set).
    pub first: u32,
    /// Number of ranges.
    pub len: u32,
}

abi!(Run, 8, [u32, u32]);

/// A range of the low 16 bits of an IPv4 address, up to the start of the next range of the run.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range4 {
    /// First address of the range: the low 16 bits, host byte order. The first range of a run
    /// starts at 0.
    pub start: u16,
    /// Class of the range.
    pub class: AddressClass,
}

abi!(Range4, 4, [u16, u16]);

/// A range of bits 16–31 of an IPv6 address, or a [lead](Self::lead).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range6Top {
    /// First value of the range, host byte order; in a lead, the number of ranges, or mask and shift of a
    /// fork.
    pub start: u32,
    /// Class, or lead to the middle stage.
    pub target: Target,
}

abi!(Range6Top, 8, [u32, u32]);

impl Range6Top {
    /// Bit position of a fork's mask in `start`; the shift is below it.
    const MASK: u32 = 8;

    /// A lead to a run of the middle stage: `len` ranges from index `first` on. With `len` 0, `first` is the
    /// final target, as in a range.
    #[must_use]
    pub const fn lead(first: u32, len: u32) -> Self {
        Self {
            start: len,
            target: first,
        }
    }

    /// A lead to the fork that starts at index `first`, indexed by `bits` bits of the value above its lowest
    /// `shift` bits.
    #[must_use]
    pub const fn fork(first: u32, bits: u32, shift: u32) -> Self {
        let mask = 1_u32.wrapping_shl(bits).wrapping_sub(1);
        Self {
            start: mask.wrapping_shl(Self::MASK) | shift,
            target: first | TARGET_IS_FORK,
        }
    }

    /// For a lead to a fork, the index of the fork's lead for `value`; else `None`.
    #[must_use]
    pub const fn branch(self, value: u32) -> Option<u32> {
        if self.target & TARGET_IS_FORK == 0 {
            return None;
        }
        let place = value.wrapping_shr(self.start) & self.start.wrapping_shr(Self::MASK);
        Some((self.target & TARGET_INDEX).wrapping_add(place))
    }

    /// For a lead to a fork, the number of the fork's leads; else `None`.
    #[must_use]
    pub const fn branches(self) -> Option<u32> {
        if self.target & TARGET_IS_FORK == 0 {
            return None;
        }
        Some(self.start.wrapping_shr(Self::MASK).wrapping_add(1))
    }
}

/// A range of bits 32–63 of an IPv6 address.
///
/// The first range of a run is the default for values that no other range covers; the others are islands or
/// hosts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range6Mid {
    /// First value of the range, host byte order.
    pub start: u32,
    /// Class, or run in the low stage.
    pub target: Target,
    /// Of an island, the last value; of a host, bits 64–127; of the first range, always zero.
    pub more: u64,
}

abi!(Range6Mid, 16, [u32, u32, u64]);

impl Range6Mid {
    /// Target for an address, or `None` if this range does not cover it; the first range of the run then
    /// applies.
    ///
    /// Called on the last range that starts at or before `value`, bits 32–63; `low` is bits 64–127.
    #[must_use]
    pub const fn target(self, value: u32, low: u64) -> Option<Target> {
        let is_in = if self.target & TARGET_IS_HOST != 0 {
            self.start == value && self.more == low
        } else {
            self.target & TARGET_IS_ISLAND == 0 || value as u64 <= self.more
        };
        if is_in {
            return Some(self.target & (TARGET_IS_RUN | TARGET_INDEX));
        }
        None
    }
}

/// A range of bits 64–127 of an IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range6Low {
    /// First value of the range, host byte order; in a header, the number of ranges.
    pub start: u64,
    /// Class.
    pub target: Target,
    /// Always zero.
    pub reserved: u32,
}

abi!(Range6Low, 16, [u64, u32, u32]);

/// One map value: ranges of IPv4.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges4 {
    /// Consecutive ranges.
    pub ranges: [Range4; RANGES4_PER_BLOCK as usize],
}

abi!(Ranges4, 4096, [[Range4; 1024]]);

/// One map value: ranges of the top stage of IPv6.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges6Top {
    /// Consecutive ranges.
    pub ranges: [Range6Top; RANGES6_TOP_PER_BLOCK as usize],
}

abi!(Ranges6Top, 4096, [[Range6Top; 512]]);

/// One map value: ranges of the middle stage of IPv6.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges6Mid {
    /// Consecutive ranges.
    pub ranges: [Range6Mid; RANGES6_MID_PER_BLOCK as usize],
}

abi!(Ranges6Mid, 4096, [[Range6Mid; 256]]);

/// One map value: ranges of the low stage of IPv6.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges6Low {
    /// Consecutive ranges.
    pub ranges: [Range6Low; RANGES6_LOW_PER_BLOCK as usize],
}

abi!(Ranges6Low, 4096, [[Range6Low; 256]]);
