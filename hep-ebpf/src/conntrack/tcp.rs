//! TCP segments as connection tracking reads them.

use hep_common::{conntrack::leg, protocol};

use crate::parse::{Packet, Plain, tcp};

/// Whether a packet opens a TCP connection. The rules judge it even if its flow is known (spec EV-153).
#[inline(always)]
pub(crate) const fn is_opening(protocol: u8, tcp_flags: u8) -> bool {
    protocol == protocol::TCP && tcp_flags & tcp::STATE == tcp::SYN
}

/// Whether a packet may be one that only continues a flow: UDP, or TCP with ACK as the only flag of state.
#[inline(always)]
pub(crate) fn may_continue<A>(packet: &Plain<A>) -> bool {
    packet.protocol != protocol::TCP || packet.ports.tcp_flags & tcp::STATE == tcp::ACK
}

/// Whether a packet belongs to a TCP connection that was opened before.
#[inline(always)]
pub(super) fn is_midstream<A>(packet: &Packet<A>) -> bool {
    packet.protocol == protocol::TCP && !is_opening(packet.protocol, packet.tcp_flags)
}

/// The [`leg`] bits that a packet sets for the end that sent it.
#[inline(always)]
pub(super) fn said<A>(packet: &Packet<A>) -> u8 {
    let mut said = leg::SEEN;
    if packet.protocol == protocol::TCP {
        let flags = packet.tcp_flags;
        if flags & tcp::SYN != 0 {
            said |= leg::SYN;
        }
        if flags & tcp::ACK != 0 {
            said |= leg::ACK;
        }
        if flags & tcp::FIN != 0 {
            said |= leg::FIN;
        }
        if flags & tcp::RST != 0 {
            said |= leg::RST;
        }
    }
    said
}
