//! Classifies packets as local or forwarded, and checks their addresses and reverse path.

use aya_ebpf::{
    bindings::{
        __sk_buff, BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED,
        BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNSUPP_LWT,
    },
    programs::TcContext,
};
use hep_common::{
    Direction, Family,
    endpoint::{FLAG_ACCEPTS_LOCAL, FLAG_FORCED_V6, FLAG_MEMBER, FLAG_ROUTES_LOCALNET, Interface},
    local::LocalAddress,
    protocol,
    settings::{FLAG_RPF_LOOSE, FLAG_RPF_STRICT},
    tick::Tick,
};

use crate::{
    address::Address,
    context::{PacketContext, Route, Trace},
    frame::{FibQuestion, Frame as _, Query},
    helpers, maps,
    parse::Packet,
};

/// IPv4 as an address family of the socket interface.
const AF_INET: u8 = 2;
/// IPv6 as an address family of the socket interface.
const AF_INET6: u8 = 10;
/// Index of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;
/// Type of a packet whose link-layer address is not this interface's: IP discards it.
const PACKET_OTHERHOST: u32 = 3;
/// UDP ports of DHCP servers and of their clients.
const DHCP: (u16, u16) = (67, 68);

/// Whether the packet is forwarded (spec EV-095 to EV-097); looked up once per packet.
#[inline(always)]
pub(crate) fn is_forwarded<A: Address>(
    context: &PacketContext<'_>,
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
    context: &PacketContext<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> Route {
    trace.route = match context.direction {
        Direction::Ingress if maps::is_quickly_own(&local(&packet.dst)) => Route::Local,
        Direction::Egress if context.frame.ingress_ifindex() != 0 => Route::Forwarded,
        Direction::Egress if maps::is_quickly_own(&local(&packet.src)) => Route::Local,
        Direction::Ingress | Direction::Egress => Route::Unknown,
    };
    trace.route
}

/// Whether this host made the packet or is its destination.
#[inline(always)]
fn is_own<A: Address>(context: &PacketContext<'_>, packet: &Packet<A>) -> bool {
    match context.direction {
        Direction::Ingress => is_for_host(context, packet, context.interface),
        Direction::Egress => is_from_host(context, packet),
    }
}

/// An address in the form that the maps of own addresses hold.
#[inline(always)]
fn local<A: Address>(address: &A) -> LocalAddress {
    LocalAddress {
        address: address.mapped(),
    }
}

/// Whether a packet that leaves is this host's: its source is, or its socket. Children of the interface
/// (macvlan, macvtap, ipvlan) send through it too, from addresses and sockets of their own (spec EV-261).
#[inline(never)]
fn is_from_host<A: Address>(context: &PacketContext<'_>, packet: &Packet<A>) -> bool {
    if context.frame.ingress_ifindex() != 0 {
        return false;
    }
    let source = local(&packet.src);
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
fn knows_own_addresses(context: &PacketContext<'_>) -> bool {
    maps::own_state().is_complete(Tick::at(context.now_ns))
}

/// Whether a packet that arrives at an interface is for this host.
#[inline(never)]
pub(crate) fn is_for_host<A: Address>(
    context: &PacketContext<'_>,
    packet: &Packet<A>,
    interface: &Interface,
) -> bool {
    let destination = local(&packet.dst);
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

/// Whether an interface forwards though the kernel reports forwarding as off.
#[inline(always)]
fn is_forced<A: Address>(interface: &Interface) -> bool {
    matches!(A::FAMILY, Family::V6) && interface.flags & FLAG_FORCED_V6 != 0
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
pub(crate) fn is_routed<A: Address>(
    context: &PacketContext<'_>,
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

/// Whether a packet that arrives may be a martian: a quick answer that is no for most.
#[inline(always)]
pub(crate) fn may_be_martian<A: Address>(context: &PacketContext<'_>, packet: &Packet<A>) -> bool {
    matches!(context.direction, Direction::Ingress)
        && (maps::is_quickly_own(&local(&packet.src))
            || maps::own_state().crowded != 0
            || packet.src.is_loopback()
            || packet.dst.is_loopback()
            || packet.src.is_for_everyone())
}

/// Whether the kernel is sure to discard a packet that arrives, for its addresses (spec EV-262).
#[inline(always)]
pub(crate) fn is_martian<A: Address>(context: &PacketContext<'_>, packet: &Packet<A>) -> bool {
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
            let source = local(&packet.src);
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
pub(crate) fn checks_reverse_path(context: &PacketContext<'_>) -> bool {
    matches!(context.direction, Direction::Ingress)
        && (context.has(FLAG_RPF_STRICT) || context.has(FLAG_RPF_LOOSE))
}

/// Whether a new flow that arrives fails the reverse-path check (spec EV-187).
#[inline(never)]
pub(crate) fn fails_reverse_path<A: Address>(
    context: &PacketContext<'_>,
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

/// Result of a routing look-up.
enum Way {
    /// Out through this interface.
    Through(u32),
    /// To this host, or nowhere.
    None,
    /// Forwarding is off, so that the kernel gives no answer.
    Unknown,
}

/// Which way to look up.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Leg {
    /// To the packet's destination.
    Onward,
    /// To its source.
    Back,
}

/// Looks up the route of a packet at the interface with index `at`.
#[inline(always)]
fn ask<A: Address>(context: &PacketContext<'_>, packet: &Packet<A>, at: u32, leg: Leg) -> Way {
    // The compiler may know what a function returns; the kernel does not.
    let answer = helpers::opaque(A::fib(context.frame, packet, at, leg as u32) as usize);
    match u32::try_from(answer) {
        Ok(NOWHERE) => Way::None,
        Ok(UNKNOWN) | Err(_) => Way::Unknown,
        Ok(ifindex) => Way::Through(ifindex),
    }
}

/// Result of [`fib`]: to this host, or nowhere.
const NOWHERE: u32 = 0;
/// Result of [`fib`]: the kernel gives no answer, since forwarding is off.
const UNKNOWN: u32 = u32::MAX;

/// Declares the global form of [`fib`] for one family: the kernel verifies it once, not at every call.
macro_rules! global {
    ($fib:ident, $global:ident, $address:ty) => {
        /// Calls the global form of `fib` for this family.
        #[inline(always)]
        pub(crate) fn $fib(ctx: &TcContext, packet: &Packet<$address>, at: u32, leg: u32) -> u32 {
            $global(ctx.skb.skb, packet, at, leg)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $global(
            skb: *mut __sk_buff,
            packet: *const Packet<$address>,
            at: u32,
            leg: u32,
        ) -> u32 {
            let leg = if leg == Leg::Back as u32 {
                Leg::Back
            } else {
                Leg::Onward
            };
            // SAFETY: the kernel knows no other caller than the function above, which hands on a
            // reference and waits.
            match unsafe { helpers::handed(packet) } {
                Some(packet) => fib(&TcContext::new(skb), packet, at, leg),
                None => UNKNOWN,
            }
        }
    };
}

global!(fib4, hep_fib4, [u8; 4]);
global!(fib6, hep_fib6, [u8; 16]);

/// Looks up the route of a packet at interface `at`: the outgoing interface's index, [`NOWHERE`] or
/// [`UNKNOWN`].
#[inline(always)]
fn fib<A: Address>(frame: &impl Query, packet: &Packet<A>, at: u32, leg: Leg) -> u32 {
    let ports = match packet.protocol {
        protocol::ICMP | protocol::ICMPV6 => (0, 0),
        _ => (packet.src_port, packet.dst_port),
    };
    let ends = [(packet.src, ports.0), (packet.dst, ports.1)];
    let [(src, sport), (dst, dport)] = match leg {
        Leg::Onward => ends,
        Leg::Back => {
            let [src, dst] = ends;
            [dst, src]
        }
    };
    // The kernel has no answer for sources that it does not forward; where the destination is does not
    // depend on them.
    let is_asked = !(src.is_link_local() || src.is_for_everyone() || src.is_loopback());
    let asked = if is_asked { u32::MAX } else { 0 };
    let mut question = FibQuestion {
        family: match A::FAMILY {
            Family::V4 => AF_INET,
            Family::V6 => AF_INET6,
        },
        protocol: packet.protocol,
        sport: sport.to_be(),
        dport: dport.to_be(),
        length: 0,
        ifindex: at,
        flow: match A::FAMILY {
            Family::V4 => u32::from(packet.tos),
            Family::V6 => (u32::from(packet.tos) << 20).to_be(),
        },
        src: words(&src).map(|word| word & asked),
        dst: words(&dst),
        // Of zeros that it knows the compiler would make a call, for which kernels before 6.18 find no
        // room on the stack.
        rest: [core::hint::black_box(0); 4],
    };
    let result = frame.fib_lookup(&mut question);
    match u32::try_from(result) {
        Ok(
            BPF_FIB_LKUP_RET_SUCCESS
            | BPF_FIB_LKUP_RET_NO_NEIGH
            | BPF_FIB_LKUP_RET_FRAG_NEEDED
            | BPF_FIB_LKUP_RET_UNSUPP_LWT,
        ) => question.ifindex,
        Ok(BPF_FIB_LKUP_RET_FWD_DISABLED) => UNKNOWN,
        Ok(_) | Err(_) => NOWHERE,
    }
}

/// An address in the form that helpers take: an IPv4 address is the first word.
#[inline(always)]
pub(crate) fn words<A: Address>(address: &A) -> [u32; 4] {
    let mapped = u128::from_ne_bytes(address.mapped());
    let word = |index: u32| u32::try_from((mapped >> (index << 5)) & 0xffff_ffff).unwrap_or(0);
    let [first, second, third, last] = [word(0), word(1), word(2), word(3)];
    match A::FAMILY {
        Family::V4 => [last, 0, 0, 0],
        Family::V6 => [first, second, third, last],
    }
}
