//! Look-ups in the kernel's routing tables.

use aya_ebpf::{
    bindings::{
        __sk_buff, BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_FWD_DISABLED,
        BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNSUPP_LWT,
    },
    programs::TcContext,
};
use hep_common::{Family, protocol};

use crate::{
    address::Address,
    context::PacketContext,
    frame::{FibQuestion, Query},
    helpers,
    parse::Packet,
};

/// IPv4 as an address family of the socket interface.
const AF_INET: u8 = 2;
/// IPv6 as an address family of the socket interface.
const AF_INET6: u8 = 10;

/// Result of a routing look-up.
pub(super) enum Way {
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
pub(super) enum Leg {
    /// To the packet's destination.
    Onward,
    /// To its source.
    Back,
}

/// Looks up the route of a packet at the interface with index `at`.
#[inline(always)]
pub(super) fn ask<A: Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
    at: u32,
    leg: Leg,
) -> Way {
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

/// Addresses whose routes can be looked up at a hook with frames of type `F`.
pub(crate) trait Routed<F>: Address {
    /// Looks up the route of a packet at the interface with index `at`, by the hook's global function of this
    /// family: the kernel verifies that once, not at every call.
    fn fib(frame: &F, packet: &Packet<Self>, at: u32, leg: u32) -> u32;
}

/// Declares the global form of [`fib`] for one family, at TC hooks.
macro_rules! global {
    ($global:ident, $address:ty) => {
        impl Routed<TcContext> for $address {
            #[inline(always)]
            fn fib(frame: &TcContext, packet: &Packet<Self>, at: u32, leg: u32) -> u32 {
                $global(frame.skb.skb, packet, at, leg)
            }
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

global!(hep_fib4, [u8; 4]);
global!(hep_fib6, [u8; 16]);

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
