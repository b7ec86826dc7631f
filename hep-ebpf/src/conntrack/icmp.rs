//! ICMP queries and their replies (spec EV-150, EV-151).

use hep_common::protocol;

/// The type that answers a query.
#[inline(always)]
pub(super) const fn reply_to(protocol: u8, request: u8) -> Option<u8> {
    match (protocol, request) {
        (protocol::ICMP, 8) => Some(0),
        (protocol::ICMP, 13 | 15 | 17) => Some(request.wrapping_add(1)),
        (protocol::ICMPV6, 128) => Some(129),
        _ => None,
    }
}

/// Whether this type answers a query: such a packet opens no flow.
#[inline(always)]
pub(super) const fn is_reply(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(kind, 0 | 14 | 16 | 18),
        protocol::ICMPV6 => kind == 129,
        _ => false,
    }
}

/// Whether a packet of type `kind` belongs to a flow that a packet of type `opened_by` opened.
#[inline(always)]
pub(super) fn fits(protocol: u8, opened_by: u8, kind: u8, from_opener: bool) -> bool {
    match protocol {
        protocol::ICMP | protocol::ICMPV6 if from_opener => kind == opened_by,
        protocol::ICMP | protocol::ICMPV6 => reply_to(protocol, opened_by) == Some(kind),
        _ => true,
    }
}
