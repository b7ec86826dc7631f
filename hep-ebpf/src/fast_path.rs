//! Fast path: judges packets of established TCP and UDP flows; hands everything else to the slow path.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use hep_common::{
    Direction, Family, counter::Reason, decision::Decision, endpoint::ListNumber,
    settings::FLAG_NO_IPV6,
};

use crate::{
    address::Address,
    conntrack::{self, FastPath, Searched},
    context::{PacketContext, Route, Scratch},
    maps::{self, Slot},
    next_step,
    parse::{self, Direct, Fragment, Metadata as _, Network},
    route, stages,
    steps::{after_stages, conclude},
};

/// Fast path of the ingress hook.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hep_fast_path_in(skb: *mut __sk_buff) -> u32 {
    judge(&TcContext::new(skb), Direction::Ingress)
}

/// Fast path of the egress hook.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hep_fast_path_out(skb: *mut __sk_buff) -> u32 {
    judge(&TcContext::new(skb), Direction::Egress)
}

/// Finds the packet's interface and network header, and judges it if that takes no more than finding its
/// flow.
#[inline(always)]
fn judge(ctx: &TcContext, direction: Direction) -> u32 {
    let control @ (generation, _) = maps::control();
    if maps::records_decisions() {
        maps::decide(Decision {
            reason: Reason::Unpoliced as u8,
            ..Decision::default()
        });
    }
    if generation == 0 {
        return Reason::Unpoliced as u32;
    }
    let Some(interface) = maps::interface_quickly(Slot::of(generation), ctx.ifindex()) else {
        return Reason::Unpoliced as u32;
    };
    let context = PacketContext::new(ctx, direction, control, 0, interface);
    match parse::network(ctx, context.interface.flags, direction) {
        Network::V4(offset) => judge_ip::<[u8; 4]>(context, offset),
        Network::V6(_) if context.has(FLAG_NO_IPV6) => conclude(&context, Reason::Unpoliced),
        Network::V6(offset) => judge_ip::<[u8; 16]>(context, offset),
        Network::Vlan => conclude(&context, Reason::Vlan),
        Network::Other => conclude(&context, Reason::NonIp),
        Network::Unreadable => conclude(&context, Reason::LinkHeader),
    }
}

/// Judges an IP packet whose header is at `offset` if its flow is enough for that; else prepares the slow
/// path.
#[inline(always)]
fn judge_ip<A: Address>(mut context: PacketContext<'_>, offset: u32) -> u32 {
    if context.lists::<A>().untracked != 0 || stages::bears_mark(&context) {
        return begin::<A>(&context, offset, Some(next_step::STAGES), Searched::Nowhere);
    }
    let mut missed = Searched::Nowhere;
    if let Some(plain) = A::plain(&Direct::new(context.ctx), offset, context.bytes())
        && conntrack::may_continue(&plain)
    {
        match conntrack::fast_path(&mut context, &plain) {
            FastPath::Continues => return conclude(&context, Reason::Established),
            FastPath::Missing(searched) => missed = searched,
            FastPath::Unclear => {}
        }
    }
    begin::<A>(&context, offset, None, missed)
}

/// Prepares the slow path: stores the parsed packet, or where its IP header starts, and returns its first
/// step. For a plain packet that is `stages`, if given, unless one list is all there is to evaluate.
///
/// It is parsed again here: that is cheaper than to save all of it before every look-up.
#[inline(always)]
fn begin<A: Address>(
    context: &PacketContext<'_>,
    offset: u32,
    stages: Option<u32>,
    missed: Searched,
) -> u32 {
    let Some(scratch) = A::scratch() else {
        return conclude(context, Reason::Internal);
    };
    let mut next = next_step::LOAD;
    scratch.generation = context.generation;
    scratch.changes = context.changes;
    scratch.now_ns = context.now_ns;
    scratch.counters = context.counters();
    scratch.flags = context.interface.behaviour;
    scratch.revalidated = 0;
    scratch.missed = missed as u32;
    scratch.trace.reset();
    match A::plain(&Direct::new(context.ctx), offset, context.bytes()) {
        Some(plain) => {
            scratch.packet = plain.packet();
            let is_suspect = route::may_be_martian(context, &scratch.packet);
            next = match stages {
                Some(step) => step,
                None if is_suspect => next_step::STAGES,
                None => after_stages(plain.protocol, plain.ports.tcp_flags),
            };
            if !is_suspect && let Some(list) = only_list(context, scratch, next) {
                scratch.trace.list = list.into();
                next = next_step::RULES;
            }
        }
        None => {
            // The loader starts there; nothing of the last packet may be mistaken for this one's.
            scratch.packet.transport = offset;
            scratch.packet.fragment = Fragment::Whole;
        }
    }
    next | match A::FAMILY {
        Family::V4 => next_step::FAMILY_V4,
        Family::V6 => next_step::FAMILY_V6,
    }
}

/// The list that alone decides about a plain packet, if its route is known without a FIB look-up.
#[inline(always)]
fn only_list<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    next: u32,
) -> Option<ListNumber> {
    let Scratch { packet, trace, .. } = scratch;
    let lists = context.lists::<A>();
    match next {
        next_step::OPEN if !route::checks_reverse_path(context) => {
            match route::classify_quickly(context, packet, trace) {
                Route::Local => Some(lists.local),
                Route::Forwarded => Some(lists.forward),
                Route::Unknown => None,
            }
        }
        next_step::STAGES if lists.exempt == 0 && !stages::bears_mark(context) => {
            let route = route::classify_quickly(context, packet, trace);
            (route == Route::Local).then_some(lists.untracked)
        }
        _ => None,
    }
}
