//! Fast path: judges packets of established TCP and UDP flows; hands everything else to the slow path.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use hep_common::{
    Direction, counter::Reason, decision::Decision, endpoint::ListNumber, settings::FLAG_NO_IPV6,
};

use crate::{
    conntrack::{self, FastPath},
    context::PacketContext,
    frame::Frame as _,
    ip::Ip,
    maps::{self, Slot},
    next_step::Step,
    parse::{self, Fragment, Network},
    route,
    scratch::{Route, Scratch, Searched},
    stages,
    transition::{after_stages, conclude},
};

/// Fast path of the ingress hook.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hep_fast_path_in(skb: *mut __sk_buff) -> u32 {
    judge(&TcContext::new(skb), Direction::Ingress).number()
}

/// Fast path of the egress hook.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn hep_fast_path_out(skb: *mut __sk_buff) -> u32 {
    judge(&TcContext::new(skb), Direction::Egress).number()
}

/// Finds the packet's interface and network header, and judges it if that takes no more than finding its
/// flow.
#[inline(always)]
fn judge(frame: &TcContext, direction: Direction) -> Step {
    let control @ (generation, _) = maps::control();
    if maps::records_decisions() {
        maps::decide(Decision {
            reason: Reason::Unpoliced as u8,
            ..Decision::default()
        });
    }
    if generation == 0 {
        return Step::done(Reason::Unpoliced);
    }
    let Some(interface) = maps::interface_quickly(Slot::of(generation), frame.ifindex()) else {
        return Step::done(Reason::Unpoliced);
    };
    let context = PacketContext::new(frame, direction, control, 0, interface);
    match parse::network(frame, context.interface.flags, direction) {
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
fn judge_ip<A: Ip>(context: PacketContext<'_>, offset: u32) -> Step {
    if context.lists::<A>().untracked != 0 || stages::bears_mark(&context) {
        return begin::<A>(&context, offset, Some(Step::STAGES), Searched::Nowhere);
    }
    let mut missed = Searched::Nowhere;
    if let Some(plain) = A::plain(context.frame, offset)
        && conntrack::may_continue(&plain)
    {
        match conntrack::fast_path(&context, &plain) {
            FastPath::Continues => return conclude(&context, Reason::Established),
            FastPath::Missing(searched) => missed = searched,
            FastPath::Unclear => {}
        }
    }
    begin::<A>(&context, offset, None, missed)
}

/// Prepares the slow path: stores the parsed packet, or where its IP header starts, and returns its first
/// step. For a plain packet that is `first`, if given, unless one list is all there is to evaluate.
///
/// It is parsed again here: that is cheaper than to save all of it before every look-up.
#[inline(always)]
fn begin<A: Ip>(
    context: &PacketContext<'_>,
    offset: u32,
    first: Option<Step>,
    missed: Searched,
) -> Step {
    let Some(scratch) = A::scratch() else {
        return conclude(context, Reason::Internal);
    };
    let mut step = Step::LOAD;
    scratch.generation = context.generation;
    scratch.changes = context.changes;
    scratch.now_ns = context.now_ns;
    scratch.counters = context.counters();
    scratch.flags = context.interface.behaviour;
    scratch.revalidated = 0;
    scratch.missed = missed;
    scratch.trace.reset();
    match A::plain(context.frame, offset) {
        Some(plain) => {
            scratch.packet = plain.packet();
            let is_suspect = route::may_be_martian(context, &scratch.packet);
            step = match first {
                Some(step) => step,
                None if is_suspect => Step::STAGES,
                None => after_stages(plain.protocol, plain.ports.tcp_flags),
            };
            if !is_suspect && let Some(list) = only_list(context, scratch, step) {
                scratch.trace.list = list.into();
                step = Step::RULES;
            }
        }
        None => {
            // The loader starts there; nothing of the last packet may be mistaken for this one's.
            scratch.packet.transport = offset;
            scratch.packet.fragment = Fragment::Whole;
        }
    }
    step.of_family(A::FAMILY)
}

/// The list that alone decides about a plain packet, if its route is known without a FIB look-up.
#[inline(always)]
fn only_list<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    step: Step,
) -> Option<ListNumber> {
    let Scratch { packet, trace, .. } = scratch;
    let lists = context.lists::<A>();
    match step {
        Step::OPEN if !route::checks_reverse_path(context) => {
            match route::classify_quickly(context, packet, trace) {
                Route::Local => Some(lists.local),
                Route::Forwarded => Some(lists.forward),
                Route::Unknown => None,
            }
        }
        Step::STAGES if lists.exempt == 0 && !stages::bears_mark(context) => {
            let route = route::classify_quickly(context, packet, trace);
            (route == Route::Local).then_some(lists.untracked)
        }
        _ => None,
    }
}
