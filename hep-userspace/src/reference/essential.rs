//! Traffic without which IPv6 does not work (EV-172).

use std::net::IpAddr;

use hep_common::Direction;

use super::{options::Options, packet::Packet};

/// Whether the packet passes for what it is, as the options have it (I5, E5). `is_member`: the interface is a
/// port of a bridge, bond or team.
pub(super) fn is_exempt(packet: &Packet, is_member: bool, options: Options) -> bool {
    // What leaves with such a hop limit was not routed.
    let is_routed = packet.forwarded && packet.direction == Direction::Ingress && !is_member;
    let is_advertisement = packet.icmp.is_some_and(|icmp| icmp.icmp_type == 134);
    let is_exempt =
        options.behaviour.nd_exempt && (options.behaviour.ra_exempt || !is_advertisement);
    is_exempt && is_essential(packet) && !is_routed
}

/// EV-172: neighbour discovery and multicast listener traffic that cannot have been routed.
fn is_essential(packet: &Packet) -> bool {
    let (IpAddr::V6(source), Some(icmp)) = (packet.source, packet.icmp) else {
        return false;
    };
    if packet.fragmented || packet.destination.is_unspecified() {
        return false;
    }
    let link_local = source.is_unicast_link_local();
    match icmp.icmp_type {
        133 | 135 | 136 => packet.hop_limit == 255 && icmp.code == 0,
        134 => {
            packet.hop_limit == 255
                && icmp.code == 0
                && link_local
                && packet.direction == Direction::Ingress
        }
        130..=132 | 143 => packet.hop_limit == 1 && (link_local || source.is_unspecified()),
        _ => false,
    }
}
