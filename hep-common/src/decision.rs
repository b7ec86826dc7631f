//! The record of one packet's verdict, for tests.

/// Name of the `u8` global that userspace sets to 1 to have [`Decision`]s written; at 0, the default, the
/// loaded program contains no code for it.
pub const RECORD_DECISIONS: &str = "RECORD_DECISIONS";

/// The last verdict of one CPU, in the `DECISION` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Number of the [`Reason`](crate::counter::Reason).
    pub reason: u8,
    /// 1 if the packet was classified as forwarded.
    pub forwarded: u8,
    /// Always zero.
    pub reserved: [u8; 2],
    /// The list whose rule decided; 0 if none was walked.
    pub list: u32,
    /// Number within that list of the rule that decided.
    pub rule: u32,
    /// That rule's counter slot.
    pub slot: u32,
}

abi!(Decision, 16, [u8, u8, [u8; 2], u32, u32, u32]);
