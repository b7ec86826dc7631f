//! Checks of a packet's addresses and of its reverse path.

use hep_common::{
    Direction, Family,
    endpoint::{FLAG_ACCEPTS_LOCAL, FLAG_MEMBER, FLAG_ROUTES_LOCALNET},
    protocol,
    settings::{FLAG_RPF_LOOSE, FLAG_RPF_STRICT},
};

use super::{
    fib::{Leg, Routed, Way, ask},
    local::{PACKET_OTHERHOST, own},
};
use crate::{
    address::Address,
    context::PacketContext,
    frame::{Frame, Query},
    maps,
    parse::Packet,
};

/// Index of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;

/// Whether a packet that arrives may be a martian: a quick answer that is no for most.
#[inline(always)]
pub(crate) fn may_be_martian<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
) -> bool {
    matches!(context.direction, Direction::Ingress)
        && (maps::is_quickly_own(&own(&packet.src))
            || maps::own_state().crowded != 0
            || packet.src.is_loopback()
            || packet.dst.is_loopback()
            || packet.src.is_for_everyone())
}

/// Whether the kernel is sure to discard a packet that arrives, for its addresses (spec EV-262).
#[inline(always)]
pub(crate) fn is_martian<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
) -> bool {
    let flags = context.interface.flags;
    // Packets that layer 2 forwards do not reach the kernel's IP.
    if !may_be_martian(context, packet)
        || flags & FLAG_MEMBER != 0
        || context.frame.pkt_type() == PACKET_OTHERHOST
    {
        return false;
    }
    if packet.src.is_for_everyone() {
        return true;
    }
    let from_or_to_loopback = packet.src.is_loopback() || packet.dst.is_loopback();
    match A::FAMILY {
        Family::V4 => {
            let source = own(&packet.src);
            (flags & FLAG_ROUTES_LOCALNET == 0 && from_or_to_loopback)
                || (flags & FLAG_ACCEPTS_LOCAL == 0
                    && !packet.src.is_loopback()
                    && (maps::is_quickly_own(&source) || maps::is_own_source(&source)))
        }
        Family::V6 => from_or_to_loopback,
    }
}

/// Whether the reverse path of new flows is checked here.
#[inline(always)]
pub(crate) fn checks_reverse_path(context: &PacketContext<'_, impl Frame>) -> bool {
    matches!(context.direction, Direction::Ingress)
        && (context.has(FLAG_RPF_STRICT) || context.has(FLAG_RPF_LOOSE))
}

/// Whether a new flow that arrives fails the reverse-path check (spec EV-187).
#[inline(never)]
pub(crate) fn fails_reverse_path<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
) -> bool {
    if packet.protocol == protocol::ICMPV6
        || packet.src.is_unspecified()
        || packet.src.is_link_local()
    {
        return false;
    }
    let ifindex = context.interface.ifindex;
    let way = match ask(context, packet, ifindex, Leg::Back) {
        // The kernel answers no more for an interface that does not forward; userspace makes it answer for
        // the loopback interface, which its own check of the reverse path uses, too.
        Way::Unknown => ask(context, packet, LOOPBACK, Leg::Back),
        way @ (Way::Through(_) | Way::None) => way,
    };
    match way {
        Way::Through(way_back) => context.has(FLAG_RPF_STRICT) && way_back != ifindex,
        Way::None | Way::Unknown => true,
    }
}
