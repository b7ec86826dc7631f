//! What is to be done next with a packet: stands in place of the number of a reason.

/// It is not plain: parse it.
pub(crate) const LOAD: u32 = 0x100;
/// Ask the stages before the connection table.
pub(crate) const STAGES: u32 = 0x101;
/// Ask the connection table.
pub(crate) const TRACK: u32 = 0x102;
/// Judge its flow by the rules in force, then ask the connection table again.
pub(crate) const REVALIDATE: u32 = 0x103;
/// Judge it as the first of a flow.
pub(crate) const OPEN: u32 = 0x104;
/// As [`OPEN`]; the new flow takes an assured one's place.
pub(crate) const REPLACE: u32 = 0x105;
/// Judge it as a TCP segment of a connection whose start was not seen.
pub(crate) const MIDSTREAM: u32 = 0x107;
/// As [`MIDSTREAM`]; its flow is known, but not approved at this kind of hook.
pub(crate) const APPROVE: u32 = 0x108;
/// Ask the rules of the list in its trace, and nothing else: those for the first packet of a flow,
/// or the untracked ones.
pub(crate) const RULES: u32 = 0x106;
/// Added to the number of the reason that accepts it: take it into its flow, or store the one it opens.
pub(crate) const KEEP: u32 = 0x400;
/// In place of [`KEEP`], where there is no flow yet: store the one it opens.
pub(crate) const STORE: u32 = 0x4000;
/// Added to [`KEEP`]: the new flow takes an assured one's place.
pub(crate) const REPLACES: u32 = 0x800;
/// Added to [`KEEP`]: the packet is a reply, so that the other end has opened the flow.
pub(crate) const REPLIES: u32 = 0x1000;
/// Added to [`KEEP`]: the flow is assured.
pub(crate) const ASSURED: u32 = 0x2000;
/// Added to the number of a reason: leave a record.
pub(crate) const FINISH: u32 = 0x200;
/// The bits of the number of a reason.
pub(crate) const NUMBER: u32 = 0xff;
/// Added to what is to be done next: the packet is IPv4.
pub(crate) const FAMILY_V4: u32 = 1 << 16;
/// As [`FAMILY_V4`]: it is IPv6.
pub(crate) const FAMILY_V6: u32 = 1 << 17;
