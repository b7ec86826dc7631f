//! How an SCTP association is opened (spec EV-267).

/// The sender opens an association.
const INIT: u8 = 1;
/// The sender looks whether another path of an association works.
const HEARTBEAT: u8 = 4;

/// Whether a packet with this chunk alone may come without a flow.
#[inline(always)]
pub(super) const fn may_come_first(chunk: u8) -> bool {
    matches!(chunk, INIT | HEARTBEAT)
}
