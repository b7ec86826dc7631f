//! Next step of the slow path; shares a `u32` with the number of the verdict's `Reason`.

/// It is not plain: parse it.
pub(crate) const LOAD: u32 = 0x100;
/// Run the stages before the connection table.
pub(crate) const STAGES: u32 = 0x101;
/// Judge it by the connection table.
pub(crate) const TRACK: u32 = 0x102;
/// Judge its flow by the rules in force, then judge it by the connection table again.
pub(crate) const REVALIDATE: u32 = 0x103;
/// Judge it as the first of a flow.
pub(crate) const OPEN: u32 = 0x104;
/// Judge it as the first of a flow that replaces an assured one.
pub(crate) const REPLACE: u32 = 0x105;
/// Judge it as a TCP segment of a connection whose start was not seen.
pub(crate) const MIDSTREAM: u32 = 0x107;
/// Judge it as a TCP segment of a known flow that is not approved at this kind of hook.
pub(crate) const APPROVE: u32 = 0x108;
/// Evaluate the list in its trace, and nothing else: the rules for the first packet of a flow, or the
/// untracked ones.
pub(crate) const RULES: u32 = 0x106;
/// Flag beside the number of the reason that accepts it: update its flow, or store the one it opens.
pub(crate) const KEEP: u32 = 0x400;
/// Flag in place of [`KEEP`], where there is no flow yet: store the one it opens.
pub(crate) const STORE: u32 = 0x4000;
/// Flag beside [`KEEP`]: the new flow replaces an assured one.
pub(crate) const REPLACES: u32 = 0x800;
/// Flag beside [`KEEP`]: the packet is a reply, so that the other end has opened the flow.
pub(crate) const REPLIES: u32 = 0x1000;
/// Flag beside [`KEEP`]: the flow is assured.
pub(crate) const ASSURED: u32 = 0x2000;
/// Flag beside the number of a reason: write the packet's records.
pub(crate) const FINISH: u32 = 0x200;
/// Mask for the number of a reason.
pub(crate) const NUMBER: u32 = 0xff;
/// Flag beside a step: the packet is IPv4.
pub(crate) const FAMILY_V4: u32 = 1 << 16;
/// Flag beside a step: the packet is IPv6.
pub(crate) const FAMILY_V6: u32 = 1 << 17;
