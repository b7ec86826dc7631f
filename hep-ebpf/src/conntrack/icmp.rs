//! ICMP queries, their replies, and errors (spec EV-150, EV-151, EV-171).

use hep_common::{Family, protocol};

use crate::{address::Address, parse::Packet};

/// The type that answers a query.
#[inline(always)]
pub(super) const fn reply_to(protocol: u8, request: u8) -> Option<u8> {
    match (protocol, request) {
        (protocol::ICMP, 8) => Some(0),
        (protocol::ICMP, 13 | 15 | 17) | (protocol::ICMPV6, 128 | 139) => {
            Some(request.wrapping_add(1))
        }
        _ => None,
    }
}

/// Whether this type answers a query: such a packet opens no flow.
#[inline(always)]
pub(super) const fn is_reply(protocol: u8, kind: u8) -> bool {
    match protocol {
        protocol::ICMP => matches!(kind, 0 | 14 | 16 | 18),
        protocol::ICMPV6 => matches!(kind, 129 | 140),
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

/// Whether a message may come without a flow: a query, neighbour discovery, multicast listening, or
/// the discovery of multicast routers. (Of errors and redirects, those that are not about a known flow do
/// not get this far: see [`super::related`].)
#[inline(always)]
pub(super) const fn may_come_first<A: Address>(packet: &Packet<A>) -> bool {
    match (A::FAMILY, packet.protocol) {
        (Family::V4, protocol::ICMP) => {
            matches!(packet.icmp_type, 8 | 13 | 15 | 17) || is_error(packet)
        }
        (Family::V6, protocol::ICMPV6) => {
            matches!(packet.icmp_type, 128 | 130..=136 | 139 | 143 | 151..=153)
        }
        (Family::V4 | Family::V6, _) => true,
    }
}

/// IPv4: the receiver is to send less.
const SOURCE_QUENCH: u8 = 4;
/// IPv4: the receiver is to use another router.
const REDIRECT: u8 = 5;

/// Whether `packet` is an ICMP error, or an IPv4 source quench or redirect.
#[inline(always)]
pub(crate) const fn is_error<A: Address>(packet: &Packet<A>) -> bool {
    match (A::FAMILY, packet.protocol) {
        (Family::V4, protocol::ICMP) => {
            matches!(packet.icmp_type, 3 | SOURCE_QUENCH | REDIRECT | 11 | 12)
        }
        (Family::V6, protocol::ICMPV6) => matches!(packet.icmp_type, 1..=4),
        (Family::V4 | Family::V6, _) => false,
    }
}

/// Whether rules judge an error though its flow is known.
#[inline(always)]
pub(crate) const fn is_for_rules<A: Address>(error: &Packet<A>) -> bool {
    matches!(A::FAMILY, Family::V4) && matches!(error.icmp_type, SOURCE_QUENCH | REDIRECT)
}
