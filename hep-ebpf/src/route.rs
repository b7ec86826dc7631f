//! Whether a packet is this host's own, and whether it came by the way back to its source.

use aya_ebpf::bindings::{
    BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_NO_NEIGH,
    BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNSUPP_LWT, bpf_fib_lookup,
    bpf_fib_lookup__bindgen_ty_1, bpf_fib_lookup__bindgen_ty_2, bpf_fib_lookup__bindgen_ty_3,
    bpf_fib_lookup__bindgen_ty_4, bpf_fib_lookup__bindgen_ty_5,
};
use hep_common::{
    Direction, Family,
    endpoint::{FLAG_MEMBER, Interface},
    local::LocalAddress,
    protocol,
    settings::{FLAG_RPF_LOOSE, FLAG_RPF_STRICT},
};

use crate::{
    address::Address,
    helpers, maps,
    parse::{Metadata as _, Packet},
    scene::{Route, Scene, Trace},
};

/// Address families of the socket interface.
const AF_INET: u8 = 2;
/// As [`AF_INET`].
const AF_INET6: u8 = 10;
/// UDP ports of DHCP servers and of their clients.
const DHCP: (u16, u16) = (67, 68);

/// Whether the packet is forwarded (spec EV-095 to EV-097); looked up once per packet.
#[inline(always)]
pub(crate) fn is_forwarded<A: Address>(
    scene: &Scene<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> bool {
    if trace.route == Route::Unknown {
        trace.route = if is_own(scene, packet) {
            Route::Local
        } else {
            Route::Forwarded
        };
    }
    trace.route == Route::Forwarded
}

/// Notes where a packet goes, if that is seen at a glance; which way that is.
#[inline(always)]
pub(crate) fn at_a_glance<A: Address>(
    scene: &Scene<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> Route {
    trace.route = match scene.direction {
        Direction::Ingress if maps::is_quickly_own(&destination(packet)) => Route::Local,
        Direction::Ingress => Route::Unknown,
        Direction::Egress if scene.ctx.ingress_ifindex() == 0 => Route::Local,
        Direction::Egress => Route::Forwarded,
    };
    trace.route
}

/// Whether this host made the packet or is where it goes.
#[inline(always)]
fn is_own<A: Address>(scene: &Scene<'_>, packet: &Packet<A>) -> bool {
    match scene.direction {
        Direction::Ingress => is_for_host(scene, packet, scene.interface),
        Direction::Egress => scene.ctx.ingress_ifindex() == 0,
    }
}

/// A packet's destination, as the map of own addresses has it.
#[inline(always)]
fn destination<A: Address>(packet: &Packet<A>) -> LocalAddress {
    LocalAddress {
        address: packet.dst.mapped(),
    }
}

/// Whether a packet that arrives at an interface is for this host.
#[inline(never)]
pub(crate) fn is_for_host<A: Address>(
    scene: &Scene<'_>,
    packet: &Packet<A>,
    interface: &Interface,
) -> bool {
    let destination = destination(packet);
    if maps::is_quickly_own(&destination) || maps::is_own_address(&destination) {
        return true;
    }
    // What a bridge or bond takes from its member is not routed there.
    if interface.flags & FLAG_MEMBER != 0 {
        return false;
    }
    packet.dst.is_for_everyone()
        || is_for_dhcp_client(packet)
        || match ask(scene, packet, interface.ifindex, Leg::Onward) {
            Way::Through(_) => false,
            Way::None | Way::Unknown => true,
        }
}

/// Whether this is a DHCP server's answer to a client, which may have no address yet.
#[inline(always)]
fn is_for_dhcp_client<A: Address>(packet: &Packet<A>) -> bool {
    matches!(A::FAMILY, Family::V4)
        && packet.protocol == protocol::UDP
        && (packet.src_port, packet.dst_port) == DHCP
}

/// Whether the reverse path of new flows is checked here.
#[inline(always)]
pub(crate) fn checks_reverse_path(scene: &Scene<'_>) -> bool {
    matches!(scene.direction, Direction::Ingress)
        && (scene.has(FLAG_RPF_STRICT) || scene.has(FLAG_RPF_LOOSE))
}

/// Whether a new flow that arrives fails the reverse-path check (spec EV-187).
#[inline(never)]
pub(crate) fn fails_reverse_path<A: Address>(scene: &Scene<'_>, packet: &Packet<A>) -> bool {
    if packet.protocol == protocol::ICMPV6
        || packet.src.is_unspecified()
        || packet.src.is_link_local()
    {
        return false;
    }
    let ifindex = scene.interface.ifindex;
    match ask(scene, packet, ifindex, Leg::Back) {
        Way::Through(way_back) => scene.has(FLAG_RPF_STRICT) && way_back != ifindex,
        Way::None => true,
        // The kernel does not tell a host that forwards nothing.
        Way::Unknown => false,
    }
}

/// What the routing tables say.
enum Way {
    /// Out through this interface.
    Through(u32),
    /// To this host, or nowhere.
    None,
    /// Forwarding is off, so that the kernel gives no answer.
    Unknown,
}

/// Which way is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// To the packet's destination.
    Onward,
    /// To its source.
    Back,
}

/// Asks the routing tables about a packet at the interface with index `at`.
#[inline(always)]
fn ask<A: Address>(scene: &Scene<'_>, packet: &Packet<A>, at: u32, leg: Leg) -> Way {
    match fib(scene, packet, at, leg) {
        0 => Way::None,
        u32::MAX => Way::Unknown,
        ifindex => Way::Through(ifindex),
    }
}

/// As [`ask`]: 0 for [`Way::None`], `u32::MAX` for [`Way::Unknown`].
#[inline(never)]
fn fib<A: Address>(scene: &Scene<'_>, packet: &Packet<A>, at: u32, leg: Leg) -> u32 {
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
    let mut question = bpf_fib_lookup {
        family: match A::FAMILY {
            Family::V4 => AF_INET,
            Family::V6 => AF_INET6,
        },
        l4_protocol: packet.protocol,
        sport: sport.to_be(),
        dport: dport.to_be(),
        __bindgen_anon_1: bpf_fib_lookup__bindgen_ty_1 { tot_len: 0 },
        ifindex: at,
        __bindgen_anon_2: bpf_fib_lookup__bindgen_ty_2 {
            flowinfo: match A::FAMILY {
                Family::V4 => u32::from(packet.tos),
                Family::V6 => (u32::from(packet.tos) << 20).to_be(),
            },
        },
        __bindgen_anon_3: bpf_fib_lookup__bindgen_ty_3 {
            // The kernel has no answer for sources that it does not forward; where the destination is
            // does not depend on them.
            ipv6_src: if src.is_link_local() || src.is_for_everyone() || src.is_loopback() {
                [0; 4]
            } else {
                words(&src)
            },
        },
        __bindgen_anon_4: bpf_fib_lookup__bindgen_ty_4 {
            ipv6_dst: words(&dst),
        },
        __bindgen_anon_5: bpf_fib_lookup__bindgen_ty_5 { tbid: 0 },
        smac: [0; 6],
        dmac: [0; 6],
    };
    let result = helpers::fib_lookup(scene.ctx, &mut question);
    match u32::try_from(result) {
        Ok(
            BPF_FIB_LKUP_RET_SUCCESS
            | BPF_FIB_LKUP_RET_NO_NEIGH
            | BPF_FIB_LKUP_RET_FRAG_NEEDED
            | BPF_FIB_LKUP_RET_UNSUPP_LWT,
        ) => question.ifindex,
        Ok(BPF_FIB_LKUP_RET_FWD_DISABLED) => u32::MAX,
        Ok(_) | Err(_) => 0,
    }
}

/// An address as the helper wants it: an IPv4 address is the first word.
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
