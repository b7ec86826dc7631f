//! The programs themselves, and the order in which a packet is asked about.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use aya_log_ebpf::{
    debug,
    macro_support::{Level, level_enabled},
};
use hep_common::{
    Direction, Family,
    counter::Reason,
    decision::Decision,
    protocol,
    settings::{FLAG_ND_EXEMPT, FLAG_NO_IPV6},
};

use crate::{
    address::Address,
    classify::{Answer, classify},
    conntrack::{self, Glimpse, Todo},
    essential, fragment, helpers, maps,
    parse::{self, Direct, Fault, Fragment, Metadata as _, Network, Packet},
    report, route,
    scene::{Route, Scene, Trace, Work},
    verdict::Verdict,
};

/// The license that the kernel asks for before it lends its helpers.
#[expect(unsafe_code, reason = "the loader finds the license by its section")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Judges packets towards the host.
#[classifier]
pub(crate) fn hep_ingress(ctx: TcContext) -> i32 {
    decide(&ctx, Direction::Ingress).tc_action()
}

/// Judges packets away from the host.
#[classifier]
pub(crate) fn hep_egress(ctx: TcContext) -> i32 {
    decide(&ctx, Direction::Egress).tc_action()
}

/// Judges a packet: at a glance, or in steps.
///
/// The functions that do it are global, so that the kernel verifies each by itself, and stand side by
/// side, so that they need not share the stack. What they find out stands in a [`Work`]. Each returns
/// the number of a [`Reason`], or what is to be done next.
#[inline(always)]
fn decide(ctx: &TcContext, direction: Direction) -> Verdict {
    let skb = ctx.skb.skb;
    let hook = direction as u32;
    let next = hep_glance(skb, hook);
    let number = if next & FAMILY_V4 != 0 {
        steps4(skb, hook, next & !FAMILY_V4)
    } else if next & FAMILY_V6 != 0 {
        steps6(skb, hook, next & !FAMILY_V6)
    } else {
        next
    };
    Verdict::from(reason(number))
}

/// What is to be done next with a packet, in place of the number of a reason.
mod next {
    /// The quick parser did not read it: read it.
    pub(super) const LOAD: u32 = 0x100;
    /// Ask the stages before the connection table.
    pub(super) const STAGES: u32 = 0x101;
    /// Ask the connection table.
    pub(super) const TRACK: u32 = 0x102;
    /// Judge its flow by the rules in force, then ask the connection table again.
    pub(super) const REVALIDATE: u32 = 0x103;
    /// Judge it as the first of a flow.
    pub(super) const OPEN: u32 = 0x104;
    /// As [`OPEN`]; the new flow takes an established one's place.
    pub(super) const REPLACE: u32 = 0x105;
    /// Added to the number of a reason: leave a record.
    pub(super) const FINISH: u32 = 0x200;
}

/// Added to what is to be done next: the packet is IPv4.
const FAMILY_V4: u32 = 1 << 16;
/// As [`FAMILY_V4`]: it is IPv6.
const FAMILY_V6: u32 = 1 << 17;

/// The reason with a number.
#[inline(always)]
fn reason(number: u32) -> Reason {
    // The compiler may know what a function returns; the kernel does not.
    let number = helpers::opaque(number as usize);
    let reason = u8::try_from(number).ok().map(Reason::try_from);
    match reason {
        Some(Ok(reason)) => reason,
        Some(Err(_)) | None => Reason::Internal,
    }
}

/// A direction's number, back from a function's argument.
#[inline(always)]
const fn direction(number: u32) -> Direction {
    if number == Direction::Ingress as u32 {
        Direction::Ingress
    } else {
        Direction::Egress
    }
}

/// Counts a verdict, and notes it if anybody wants to know.
#[inline(always)]
fn conclude(scene: &Scene<'_>, reason: Reason) -> u32 {
    if maps::records_decisions() {
        maps::decide_reason(reason);
    }
    maps::count(scene.counters(), reason, u64::from(scene.bytes));
    reason as u32
}

/// Finds out where the packet is, and judges it if that takes no more than finding its flow.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_glance(skb: *mut __sk_buff, number: u32) -> u32 {
    let ctx = TcContext::new(skb);
    let generation = maps::generation();
    if maps::records_decisions() {
        maps::decide(Decision {
            reason: Reason::Unpoliced as u8,
            ..Decision::default()
        });
    }
    if generation == 0 {
        return Reason::Unpoliced as u32;
    }
    let Some(scene) = Scene::new(&ctx, direction(number), generation, helpers::now_ns()) else {
        return Reason::Unpoliced as u32;
    };
    match parse::network(&ctx, scene.interface.flags) {
        Network::V4(offset) => glance::<[u8; 4]>(&scene, offset),
        Network::V6(_) if scene.has(FLAG_NO_IPV6) => conclude(&scene, Reason::Unpoliced),
        Network::V6(offset) => glance::<[u8; 16]>(&scene, offset),
        Network::Vlan => conclude(&scene, Reason::Vlan),
        Network::Other => conclude(&scene, Reason::NonIp),
    }
}

/// As [`hep_glance`], for an IP packet whose header is at `offset`.
#[inline(always)]
fn glance<A: Address>(scene: &Scene<'_>, offset: u32) -> u32 {
    let direct = Direct::new(scene.ctx);
    let plain = scene.lists::<A>().untracked == 0 && !bears_mark(scene);
    let mut missed = 0;
    if plain && let Some(packet) = A::plain(&direct, offset, scene.bytes) {
        match conntrack::glimpse(scene, &packet) {
            Glimpse::Continues => return conclude(scene, Reason::Established),
            Glimpse::Missing => missed = 1,
            Glimpse::Unclear => {}
        }
    }
    let Some(work) = A::work() else {
        return conclude(scene, Reason::Internal);
    };
    let family = match A::FAMILY {
        Family::V4 => FAMILY_V4,
        Family::V6 => FAMILY_V6,
    };
    work.generation = scene.generation;
    work.now_ns = scene.now_ns;
    work.revalidated = 0;
    work.missed = missed;
    work.trace.reset();
    match A::parse(&direct, offset, scene.bytes, &mut work.packet) {
        Ok(()) if plain && comes_first(&work.packet) => family | after_stages(&work.packet),
        Ok(()) => family | next::STAGES,
        Err(Fault::NotDirect) => {
            // Where the loader starts; and nothing of the last packet is to be taken for this one's.
            work.packet.transport = offset;
            work.packet.fragment = Fragment::Whole;
            family | next::LOAD
        }
        Err(Fault::Malformed(reason)) => conclude(scene, reason),
    }
}

/// Declares the steps of one family.
macro_rules! steps {
    ($address:ty, $steps:ident: $load:ident, $stages:ident, $track:ident, $revalidate:ident,
     $open:ident, $finish:ident) => {
        /// Takes the steps that a packet needs, from `next` on.
        #[inline(always)]
        fn $steps(skb: *mut __sk_buff, hook: u32, mut next: u32) -> u32 {
            if next == next::LOAD {
                next = $load(skb);
            }
            if next == next::STAGES {
                next = $stages(skb, hook);
            }
            if next == next::TRACK {
                next = $track(skb, hook);
            }
            if next == next::REVALIDATE {
                $revalidate(skb, hook);
                next = $track(skb, hook);
            }
            if next == next::OPEN || next == next::REPLACE {
                next = $open(skb, hook, next);
            }
            if next & next::FINISH != 0 {
                next = $finish(skb, hook, next & !next::FINISH);
            }
            next
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $load(skb: *mut __sk_buff) -> u32 {
            load::<$address>(&TcContext::new(skb))
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $stages(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, stages)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $track(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, track)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $revalidate(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, revalidate)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $open(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, |scene, work| {
                let reason = conntrack::open(scene, work, next == next::REPLACE);
                settle(scene, work, reason)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $finish(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            step::<$address>(skb, hook, |scene, work| finish(scene, work, reason(number)))
        }
    };
}

steps!([u8; 4], steps4: hep_load4, hep_stages4, hep_track4, hep_revalidate4, hep_open4, hep_finish4);
steps!([u8; 16], steps6: hep_load6, hep_stages6, hep_track6, hep_revalidate6, hep_open6, hep_finish6);

/// Parses a packet that the quick parser did not read.
#[inline(always)]
fn load<A: Address>(ctx: &TcContext) -> u32 {
    let Some(work) = A::work() else {
        return Reason::Internal as u32;
    };
    let offset = work.packet.transport;
    parse::load(ctx, offset, &mut work.packet)
        .map_or(next::STAGES, |reason| next::FINISH | reason as u32)
}

/// Calls a step with the packet's surroundings.
#[inline(always)]
fn step<A: Address>(
    skb: *mut __sk_buff,
    hook: u32,
    run: impl FnOnce(&Scene<'_>, &mut Work<A>) -> u32,
) -> u32 {
    let Some(work) = A::work() else {
        return Reason::Internal as u32;
    };
    let ctx = TcContext::new(skb);
    match Scene::new(&ctx, direction(hook), work.generation, work.now_ns) {
        Some(scene) => run(&scene, work),
        None => Reason::Internal as u32,
    }
}

/// Asks the stages before the connection table (spec EV-001 and EV-002).
#[inline(always)]
fn stages<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    match before_tracking(scene, work) {
        Some(reason) => settle(scene, work, reason),
        None => after_stages(&work.packet),
    }
}

/// What is next for a packet that nothing before the connection table has decided about.
#[inline(always)]
fn after_stages<A: Address>(packet: &Packet<A>) -> u32 {
    if conntrack::is_opening(packet) {
        next::OPEN
    } else {
        next::TRACK
    }
}

/// Counts a verdict, unless there is more to be done about it: then that is next.
#[inline(always)]
fn settle<A: Address>(scene: &Scene<'_>, work: &Work<A>, reason: Reason) -> u32 {
    if work.packet.fragment == Fragment::First
        || report::is_due(scene, &work.trace, reason)
        || maps::records_decisions()
        || level_enabled(Level::Debug)
    {
        next::FINISH | reason as u32
    } else {
        conclude(scene, reason)
    }
}

/// Asks the connection table, and with it the rules.
#[inline(always)]
fn track<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    if conntrack::is_error(&work.packet) {
        return match conntrack::related(scene, work) {
            Ok(reason) => settle(scene, work, reason),
            Err(conntrack::Stale) => next::REVALIDATE,
        };
    }
    match conntrack::track(scene, work) {
        Ok(reason) => settle(scene, work, reason),
        Err(Todo::Revalidate) => next::REVALIDATE,
        Err(Todo::Open) => next::OPEN,
        Err(Todo::Replace) => next::REPLACE,
    }
}

/// Judges the packet's flow by the rules in force.
#[inline(always)]
fn revalidate<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    conntrack::revalidate(scene, work);
    work.revalidated = 1;
    next::TRACK
}

/// Leaves the packet's record; returns the number of the reason.
#[inline(always)]
fn finish<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, reason: Reason) -> u32 {
    let Work { packet, trace, .. } = work;
    if packet.fragment == Fragment::First {
        fragment::remember(scene, packet, reason);
    }
    if maps::records_decisions() {
        maps::decide(Decision {
            reason: reason as u8,
            forwarded: u8::from(trace.route == Route::Forwarded),
            reserved: [0; 2],
            list: trace.list,
            rule: trace.rule,
            slot: trace.slot,
        });
    }
    if report::is_due(scene, trace, reason) {
        report::report(scene, packet, trace, reason);
    }
    debug!(
        scene.ctx,
        "ifindex {} direction {} protocol {} ports {} {} reason {} rule {}",
        scene.interface.ifindex,
        scene.direction as u8,
        packet.protocol,
        packet.src_port,
        packet.dst_port,
        reason as u8,
        trace.slot
    );
    conclude(scene, reason)
}

/// Whether the kind of packet is asked nothing before the connection table.
#[inline(always)]
fn comes_first<A: Address>(packet: &Packet<A>) -> bool {
    packet.fragment == Fragment::Whole && packet.protocol != protocol::ICMPV6
}

/// Whether the packet bears the mark of forwarded packets that were accepted untracked.
#[inline(always)]
fn bears_mark(scene: &Scene<'_>) -> bool {
    let mark = scene.settings.bypass_mark;
    mark != 0 && scene.ctx.mark() & mark != 0
}

/// Asks one stage after the other; the first that has a verdict ends it.
#[inline(always)]
fn before_tracking<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> Option<Reason> {
    let Work { packet, trace, .. } = work;
    let marked = bears_mark(scene);
    if marked && matches!(scene.direction, Direction::Ingress) {
        // Only this hook says who may skip the rules of the next one.
        let mark = scene.ctx.mark() & !scene.settings.bypass_mark;
        scene.ctx.set_mark(mark);
    }
    if packet.fragment == Fragment::Later {
        let (reason, untracked) = fragment::later(scene, packet);
        if untracked {
            let_pass(scene);
        }
        return Some(reason);
    }
    if scene.has(FLAG_ND_EXEMPT) && essential::is_essential(packet, scene.direction) {
        return Some(Reason::Essential);
    }
    if marked
        && matches!(scene.direction, Direction::Egress)
        && route::is_forwarded(scene, packet, trace)
    {
        return Some(Reason::Bypass);
    }
    if scene.lists::<A>().untracked != 0
        && let Answer::Verdict(reason) = untracked(scene, packet, trace)
    {
        if reason == Reason::Untracked && trace.route == Route::Forwarded {
            let_pass(scene);
        }
        return Some(reason);
    }
    None
}

/// Marks a packet accepted untracked where it came in, so that it passes where it goes out (spec
/// EV-080).
#[inline(always)]
fn let_pass(scene: &Scene<'_>) {
    if matches!(scene.direction, Direction::Ingress) && scene.settings.bypass_mark != 0 {
        scene
            .ctx
            .set_mark(scene.ctx.mark() | scene.settings.bypass_mark);
    }
}

/// Asks the untracked rules, unless a failsafe is involved (spec EV-068, EV-069, EV-079).
#[inline(always)]
fn untracked<A: Address>(scene: &Scene<'_>, packet: &Packet<A>, trace: &mut Trace) -> Answer {
    let lists = scene.lists::<A>();
    let forwarded = route::is_forwarded(scene, packet, trace);
    if forwarded && matches!(scene.direction, Direction::Egress) {
        return Answer::Continue;
    }
    if !forwarded && lists.exempt != 0 {
        match classify(scene.slot, lists.exempt, packet, trace, 0) {
            Answer::Continue => {}
            Answer::Verdict(Reason::Internal) => return Answer::Verdict(Reason::Internal),
            Answer::Verdict(_) => return Answer::Continue,
        }
    }
    classify(scene.slot, lists.untracked, packet, trace, scene.bytes)
}
