//! Classifies packets as local or forwarded.

use hep_common::{
    Direction, Family,
    endpoint::{FLAG_FORCED_V6, FLAG_MEMBER, Interface},
    local::LocalAddress,
    protocol,
    tick::Tick,
};

use super::fib::{Leg, Routed, Way, ask};
use crate::{
    address::Address,
    context::PacketContext,
    frame::{Frame, Query},
    maps,
    parse::Packet,
    scratch::{Route, Trace},
};

/// Type of a packet whose link-layer address is not this interface's: IP discards it.
pub(super) const PACKET_OTHERHOST: u32 = 3;
/// UDP ports of DHCP servers and of their clients.
const DHCP: (u16, u16) = (67, 68);

/// Whether the packet is forwarded (spec EV-095 to EV-097); looked up once per packet.
#[inline(always)]
pub(crate) fn is_forwarded<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> bool {
    if trace.route == Route::Unknown {
        trace.route = if is_own(context, packet) {
            Route::Local
        } else {
            Route::Forwarded
        };
    }
    trace.route == Route::Forwarded
}

/// Classifies a packet as local or forwarded if that takes no FIB look-up; records and returns the result.
#[inline(always)]
pub(crate) fn classify_quickly<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> Route {
    trace.route = match context.direction {
        Direction::Ingress if maps::is_quickly_own(&own(&packet.dst)) => Route::Local,
        Direction::Egress if context.frame.ingress_ifindex() != 0 => Route::Forwarded,
        Direction::Egress if maps::is_quickly_own(&own(&packet.src)) => Route::Local,
        Direction::Ingress | Direction::Egress => Route::Unknown,
    };
    trace.route
}

/// Whether this host made the packet or is its destination.
#[inline(always)]
fn is_own<A: Routed<F>, F: Query>(context: &PacketContext<'_, F>, packet: &Packet<A>) -> bool {
    match context.direction {
        Direction::Ingress => is_for_host(context, packet, context.interface),
        Direction::Egress => is_from_host(context, packet),
    }
}

/// Whether a packet that leaves is this host's: its source is, or its socket. Children of the interface
/// (macvlan, macvtap, ipvlan) send through it too, from addresses and sockets of their own (spec EV-261).
#[inline(never)]
fn is_from_host<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
) -> bool {
    if context.frame.ingress_ifindex() != 0 {
        return false;
    }
    let source = own(&packet.src);
    if maps::is_quickly_own(&source)
        || maps::is_own_source(&source)
        || packet.src.is_unspecified()
        || packet.src.is_loopback()
        || context.frame.is_of_own_socket()
    {
        return true;
    }
    match ask(context, packet, context.interface.ifindex, Leg::Back) {
        Way::Through(_) => false,
        Way::None => true,
        Way::Unknown => !knows_own_addresses(context),
    }
}

/// Whether an address that no map has is certainly not this host's.
#[inline(always)]
fn knows_own_addresses(context: &PacketContext<'_, impl Frame>) -> bool {
    maps::own_state().is_complete(Tick::at(context.now_ns))
}

/// Whether a packet that arrives at an interface is for this host.
#[inline(never)]
pub(crate) fn is_for_host<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
    interface: &Interface,
) -> bool {
    let destination = own(&packet.dst);
    if maps::is_quickly_own(&destination) || maps::is_own_address(&destination) {
        return true;
    }
    // A bridge or bond takes packets from its member before any routing.
    if interface.flags & FLAG_MEMBER != 0 {
        return false;
    }
    if packet.dst.is_for_everyone() || packet.dst.is_unspecified() || packet.src.is_unspecified() {
        return true;
    }
    match ask(context, packet, interface.ifindex, Leg::Onward) {
        Way::Through(way_out) => way_out == interface.ifindex && is_for_dhcp_client(packet),
        Way::None => true,
        Way::Unknown => {
            is_for_dhcp_client(packet)
                || !(knows_own_addresses(context) || is_forced::<A>(interface))
        }
    }
}

/// Whether this is a DHCP server's answer to a client, which may have no address yet.
#[inline(always)]
fn is_for_dhcp_client<A: Address>(packet: &Packet<A>) -> bool {
    matches!(A::FAMILY, Family::V4)
        && packet.protocol == protocol::UDP
        && (packet.src_port, packet.dst_port) == DHCP
}

/// Whether a packet that arrives is routed onward: it is not this host's, and layer 2 does not forward it, as
/// between ports of a bridge and to children of the interface (spec EV-172).
#[inline(always)]
pub(crate) fn is_routed<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> bool {
    let interface = context.interface;
    matches!(context.direction, Direction::Ingress)
        && interface.flags & FLAG_MEMBER == 0
        && context.frame.pkt_type() != PACKET_OTHERHOST
        && is_forwarded(context, packet, trace)
        && match ask(context, packet, interface.ifindex, Leg::Onward) {
            Way::Through(way_out) => way_out != interface.ifindex,
            Way::None => false,
            Way::Unknown => is_forced::<A>(interface),
        }
}

/// An address in the form that the maps of own addresses hold.
#[inline(always)]
pub(super) fn own<A: Address>(address: &A) -> LocalAddress {
    LocalAddress {
        address: address.mapped(),
    }
}

/// Whether an interface forwards though the kernel reports forwarding as off.
#[inline(always)]
fn is_forced<A: Address>(interface: &Interface) -> bool {
    matches!(A::FAMILY, Family::V6) && interface.flags & FLAG_FORCED_V6 != 0
}
