//! Packets that belong to no flow and can open none (RS-183).

use hep_common::{counter::Reason, protocol};

use super::packet::{Packet, sctp_chunk, tcp_flags};
use crate::model::IpFamily;

/// Why a packet without a flow cannot open one (RS-183).
pub(super) const fn reason(packet: &Packet, any_icmp: bool) -> Option<Reason> {
    match packet.protocol {
        protocol::TCP if !opens_or_continues(packet.tcp_flags) => Some(Reason::InvalidTcp),
        protocol::SCTP if !opens_association(packet.sctp_chunk) => Some(Reason::InvalidSctp),
        _ if is_about_another_flow(packet) => Some(Reason::InvalidIcmp),
        _ if !any_icmp && !may_come_first(packet) => Some(Reason::InvalidIcmp),
        _ => None,
    }
}

/// A SYN opens a connection; a bare ACK is picked up, in the kernel's default loose mode (EV-157).
const fn opens_or_continues(flags: u8) -> bool {
    use tcp_flags::{ACK, FIN, RST, SYN};
    matches!(flags & (SYN | ACK | FIN | RST), SYN | ACK)
}

/// EV-267.
const fn opens_association(chunk: u8) -> bool {
    matches!(chunk, sctp_chunk::INIT | sctp_chunk::HEARTBEAT)
}

/// EV-170, EV-171, EV-173: errors, source quench and redirects, which belong to the flow of the packet
/// in them.
const fn is_about_another_flow(packet: &Packet) -> bool {
    match (packet.family(), packet.icmp) {
        (IpFamily::V4, Some(icmp)) => matches!(icmp.icmp_type, 3 | 4 | 5 | 11 | 12),
        (IpFamily::V6, Some(icmp)) => matches!(icmp.icmp_type, 1..=4),
        (IpFamily::V4 | IpFamily::V6, None) => false,
    }
}

/// EV-171: queries, and IPv6's link-local messages: neighbour discovery, multicast listening (EV-172) and
/// the discovery of multicast routers.
const fn may_come_first(packet: &Packet) -> bool {
    match (packet.family(), packet.icmp) {
        (IpFamily::V4, Some(icmp)) => matches!(icmp.icmp_type, 8 | 13 | 15 | 17),
        (IpFamily::V6, Some(icmp)) => {
            matches!(icmp.icmp_type, 128 | 139 | 130..=136 | 143 | 151..=153)
        }
        (IpFamily::V4 | IpFamily::V6, None) => true,
    }
}
