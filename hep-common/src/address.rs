//! Address → class: one partition of each family's address space.
//!
//! Two addresses share a class if no rule of the generation can tell them apart. The structure is
//! DXR (Zec, Rizzo, Mikuc: "DXR: towards a billion routing lookups per second in software", CCR
//! 2012): the top 16 bits of an address index an array of [`Run`]s; a run is either one class, or a
//! sorted slice of ranges, and bisection finds the last range that starts at or before the rest of
//! the address. IPv6 chains three such steps over bits 0–31, 32–63 and 64–127.
//!
//! Array maps round values up to 8 bytes, so ranges are packed into blocks of a page: a bisection takes
//! its first steps from block to block, each a look-up, and the others within one.

/// A class number. Class 0 holds the addresses that no rule mentions.
pub type AddressClass = u16;

/// Entries in the root arrays of both families: one per value of the top 16 bits.
pub const ROOT_LEN: u32 = 1 << 16;

/// [`Range4`]s per block.
pub const RANGES4_PER_BLOCK: u32 = 1024;
/// [`Range6Top`]s per block.
pub const RANGES6_TOP_PER_BLOCK: u32 = 512;
/// [`Range6Mid`]s per block.
pub const RANGES6_MID_PER_BLOCK: u32 = 512;
/// [`Range6Low`]s per block.
pub const RANGES6_LOW_PER_BLOCK: u32 = 256;

/// Most steps a bisection takes: enough for 2^22 ranges in one run.
pub const MAX_BISECTION_STEPS: u32 = 23;

/// Marks a [`Target`] as a run of the next stage instead of a class.
pub const TARGET_IS_RUN: u32 = 1 << 31;

/// Marks a [`Target`] in the middle stage that is a run of that same stage. A long run is cut into
/// parts, each with the starts and targets of its ranges; a run of the parts' starts leads to them.
/// So a change in a long run rewrites little of it.
pub const TARGET_IS_PART: u32 = 1 << 30;

/// Most ranges of a run of the middle stage that is not cut into parts.
pub const MAX_UNCUT: usize = 1024;

/// The bits of a [`Target`] that are an index.
pub const TARGET_INDEX: u32 = !(TARGET_IS_RUN | TARGET_IS_PART);

/// What a range of an IPv6 stage leads to: a class, or, with [`TARGET_IS_RUN`] set, the index in the
/// next stage's ranges where a run starts. With [`TARGET_IS_PART`] set it is the index of a run in
/// the same stage. The first entry of such a run is a header: its `start` is the number of ranges
/// that follow, its `target` is unused.
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

/// A range of bits 16–31 of an IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range6Top {
    /// First value of the range, host byte order.
    pub start: u32,
    /// Class, or run in the middle stage.
    pub target: Target,
}

abi!(Range6Top, 8, [u32, u32]);

/// A range of bits 32–63 of an IPv6 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range6Mid {
    /// First value of the range, host byte order; in a header, the number of ranges.
    pub start: u32,
    /// Class, or run in the low stage.
    pub target: Target,
}

abi!(Range6Mid, 8, [u32, u32]);

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

abi!(Ranges6Mid, 4096, [[Range6Mid; 512]]);

/// One map value: ranges of the low stage of IPv6.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges6Low {
    /// Consecutive ranges.
    pub ranges: [Range6Low; RANGES6_LOW_PER_BLOCK as usize],
}

abi!(Ranges6Low, 4096, [[Range6Low; 256]]);
