//! IPv6 neighbour discovery and multicast listener traffic that needs no policy (spec EV-172).

use hep_common::{Direction, Family, protocol};

use crate::{
    address::Address,
    parse::{Fragment, Packet},
};

/// Hop limit of packets that no router has passed on.
const NOT_ROUTED: u8 = 255;
/// Hop limit of packets that no router passes on.
const NOT_ROUTABLE: u8 = 1;

/// Types of ICMPv6.
mod kind {
    pub(super) const LISTENER_QUERY: u8 = 130;
    pub(super) const LISTENER_REPORT: u8 = 131;
    pub(super) const LISTENER_DONE: u8 = 132;
    pub(super) const ROUTER_SOLICITATION: u8 = 133;
    pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
    pub(super) const NEIGHBOUR_SOLICITATION: u8 = 135;
    pub(super) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    pub(super) const LISTENER_REPORT_V2: u8 = 143;
}

/// Whether `packet` is essential and passes its checks; router advertisements count if `advertisements`. For
/// a packet that leaves, the hop limit also shows that it was not routed: a router lowers it.
#[inline(always)]
pub(crate) fn is_essential<A: Address>(
    packet: &Packet<A>,
    direction: Direction,
    advertisements: bool,
) -> bool {
    if !matches!(A::FAMILY, Family::V6)
        || packet.protocol != protocol::ICMPV6
        || packet.fragment != Fragment::Whole
        // No host has this address; Linux routes packets to it.
        || packet.dst.is_unspecified()
    {
        return false;
    }
    let discovery = packet.hop_limit == NOT_ROUTED && packet.icmp_code == 0;
    match packet.icmp_type {
        kind::ROUTER_SOLICITATION
        | kind::NEIGHBOUR_SOLICITATION
        | kind::NEIGHBOUR_ADVERTISEMENT => discovery,
        kind::ROUTER_ADVERTISEMENT => {
            advertisements
                && discovery
                && direction == Direction::Ingress
                && packet.src.is_link_local()
        }
        kind::LISTENER_QUERY
        | kind::LISTENER_REPORT
        | kind::LISTENER_DONE
        | kind::LISTENER_REPORT_V2 => {
            packet.hop_limit == NOT_ROUTABLE
                && (packet.src.is_link_local() || packet.src.is_unspecified())
        }
        _ => false,
    }
}
