//! Fast path: judges packets of established TCP and UDP flows; hands everything else to the slow path.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use hep_common::{
    Direction, Family, counter::Reason, decision::Decision, endpoint::ListNumber,
    settings::FLAG_NO_IPV6,
};

use crate::{
    address::Address,
    conntrack::{self, FastPath, Searched},
    maps::{self, Slot},
    next_step,
    parse::{self, Direct, Fragment, Metadata as _, Network},
    route,
    scene::{Route, Scene, Work},
    stages,
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
    let scene = Scene::new(ctx, direction, control, 0, interface);
    match parse::network(ctx, scene.interface.flags, direction) {
        Network::V4(offset) => judge_ip::<[u8; 4]>(scene, offset),
        Network::V6(_) if scene.has(FLAG_NO_IPV6) => conclude(&scene, Reason::Unpoliced),
        Network::V6(offset) => judge_ip::<[u8; 16]>(scene, offset),
        Network::Vlan => conclude(&scene, Reason::Vlan),
        Network::Other => conclude(&scene, Reason::NonIp),
        Network::Unreadable => conclude(&scene, Reason::LinkHeader),
    }
}

/// Judges an IP packet whose header is at `offset` if its flow is enough for that; else prepares the slow
/// path.
#[inline(always)]
fn judge_ip<A: Address>(mut scene: Scene<'_>, offset: u32) -> u32 {
    if scene.lists::<A>().untracked != 0 || stages::bears_mark(&scene) {
        return begin::<A>(&scene, offset, Some(next_step::STAGES), Searched::Nowhere);
    }
    let mut missed = Searched::Nowhere;
    if let Some(plain) = A::plain(&Direct::new(scene.ctx), offset, scene.bytes())
        && conntrack::may_continue(&plain)
    {
        match conntrack::fast_path(&mut scene, &plain) {
            FastPath::Continues => return conclude(&scene, Reason::Established),
            FastPath::Missing(searched) => missed = searched,
            FastPath::Unclear => {}
        }
    }
    begin::<A>(&scene, offset, None, missed)
}

/// Prepares the slow path: stores the parsed packet, or where its IP header starts, and returns its first
/// step. For a plain packet that is `stages`, if given, unless one list is all there is to evaluate.
///
/// It is parsed again here: that is cheaper than to save all of it before every look-up.
#[inline(always)]
fn begin<A: Address>(scene: &Scene<'_>, offset: u32, stages: Option<u32>, missed: Searched) -> u32 {
    let Some(work) = A::work() else {
        return conclude(scene, Reason::Internal);
    };
    let mut next = next_step::LOAD;
    work.generation = scene.generation;
    work.changes = scene.changes;
    work.now_ns = scene.now_ns;
    work.counters = scene.counters();
    work.flags = scene.interface.behaviour;
    work.revalidated = 0;
    work.missed = missed as u32;
    work.trace.reset();
    match A::plain(&Direct::new(scene.ctx), offset, scene.bytes()) {
        Some(plain) => {
            work.packet = plain.packet();
            let is_suspect = route::may_be_martian(scene, &work.packet);
            next = match stages {
                Some(step) => step,
                None if is_suspect => next_step::STAGES,
                None => after_stages(plain.protocol, plain.ports.tcp_flags),
            };
            if !is_suspect && let Some(list) = only_list(scene, work, next) {
                work.trace.list = list.into();
                next = next_step::RULES;
            }
        }
        None => {
            // The loader starts there; nothing of the last packet may be mistaken for this one's.
            work.packet.transport = offset;
            work.packet.fragment = Fragment::Whole;
        }
    }
    next | match A::FAMILY {
        Family::V4 => next_step::FAMILY_V4,
        Family::V6 => next_step::FAMILY_V6,
    }
}

/// The list that alone decides about a plain packet, if its route is known without a FIB look-up.
#[inline(always)]
fn only_list<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, next: u32) -> Option<ListNumber> {
    let Work { packet, trace, .. } = work;
    let lists = scene.lists::<A>();
    match next {
        next_step::OPEN if !route::checks_reverse_path(scene) => {
            match route::classify_quickly(scene, packet, trace) {
                Route::Local => Some(lists.local),
                Route::Forwarded => Some(lists.forward),
                Route::Unknown => None,
            }
        }
        next_step::STAGES if lists.exempt == 0 && !stages::bears_mark(scene) => {
            let route = route::classify_quickly(scene, packet, trace);
            (route == Route::Local).then_some(lists.untracked)
        }
        _ => None,
    }
}
