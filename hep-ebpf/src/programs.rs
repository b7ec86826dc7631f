//! The programs themselves, and the order in which a packet is asked about.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use aya_log_ebpf::{
    debug,
    macro_support::{Level, level_enabled},
};
use hep_common::{
    Direction, counter::Reason, decision::Decision, endpoint::Interface, settings::FLAG_DENY_EVENTS,
};

use crate::{
    address::Address,
    classify::{Answer, classify_here},
    conntrack::{self, Keep, Opening, Todo},
    fragment, glance, helpers,
    maps::{self, Slot},
    next,
    parse::{Fragment, Loader, Metadata as _},
    report,
    scene::{Route, Scene, Work},
    stages,
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
    let next = match direction {
        Direction::Ingress => glance::hep_glance_in(skb),
        Direction::Egress => glance::hep_glance_out(skb),
    };
    let number = if next & next::FAMILY_V4 != 0 {
        steps4(skb, hook, next & !next::FAMILY_V4)
    } else if next & next::FAMILY_V6 != 0 {
        steps6(skb, hook, next & !next::FAMILY_V6)
    } else {
        next
    };
    Verdict::from(reason(number))
}

/// The reason with a number.
#[inline(always)]
pub(crate) fn reason(number: u32) -> Reason {
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
pub(crate) fn conclude(scene: &Scene<'_>, reason: Reason) -> u32 {
    if maps::records_decisions() {
        maps::decide_reason(reason);
    }
    maps::count(scene.counters(), reason, u64::from(scene.bytes()));
    reason as u32
}

/// Declares the steps of one family.
macro_rules! steps {
    ($address:ty, $steps:ident: $load:ident, $stages:ident, $track:ident, $reclassify:ident,
     $revalidate:ident, $midstream:ident, $open:ident, $rules:ident, $keep:ident, $finish:ident) => {
        /// Takes the steps that a packet needs, from `next` on.
        #[inline(always)]
        fn $steps(skb: *mut __sk_buff, hook: u32, mut next: u32) -> u32 {
            if next == next::RULES {
                next = $rules(skb);
            }
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
                if $reclassify(skb, hook) == next::REVALIDATE {
                    $revalidate(skb, hook);
                }
                next = $track(skb, hook);
            }
            if next == next::MIDSTREAM || next == next::APPROVE {
                next = $midstream(skb, hook, next);
            }
            if next == next::OPEN || next == next::REPLACE {
                next = $open(skb, hook, next);
            }
            if next & next::KEEP != 0 {
                next = $keep(skb, hook, next);
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
            step::<$address>(skb, hook, maps::interface, before_tracking)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $track(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, track)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $reclassify(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, reclassify)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $revalidate(skb: *mut __sk_buff, hook: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, revalidate)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $midstream(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, |scene, work| {
                let is_known = next == next::APPROVE;
                let opening = conntrack::midstream(scene, work, is_known);
                after(scene, work, opening)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $open(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, |scene, work| {
                open(scene, work, next)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $rules(skb: *mut __sk_buff) -> u32 {
            rules::<$address>(&TcContext::new(skb))
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $keep(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface_quickly, |scene, work| {
                keep(scene, work, next)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $finish(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, |scene, work| {
                finish(scene, work, reason(number))
            })
        }
    };
}

steps!([u8; 4], steps4: hep_load4, hep_stages4, hep_track4, hep_reclassify4, hep_revalidate4, hep_midstream4, hep_open4, hep_rules4, hep_keep4, hep_finish4);
steps!([u8; 16], steps6: hep_load6, hep_stages6, hep_track6, hep_reclassify6, hep_revalidate6, hep_midstream6, hep_open6, hep_rules6, hep_keep6, hep_finish6);

/// Parses a packet that is not plain.
#[inline(always)]
fn load<A: Address>(ctx: &TcContext) -> u32 {
    let Some(work) = A::work() else {
        return Reason::Internal as u32;
    };
    let offset = work.packet.transport;
    match A::parse(&Loader::new(ctx), offset, ctx.len(), &mut work.packet) {
        Ok(()) => next::STAGES,
        Err(reason) => next::FINISH | reason as u32,
    }
}

/// Calls a step with the packet's surroundings, at the interface that `find` finds.
#[inline(always)]
fn step<A: Address>(
    skb: *mut __sk_buff,
    hook: u32,
    find: impl FnOnce(Slot, u32) -> Option<&'static Interface>,
    run: impl FnOnce(&Scene<'_>, &mut Work<A>) -> u32,
) -> u32 {
    let Some(work) = A::work() else {
        return Reason::Internal as u32;
    };
    if work.now_ns == 0 {
        work.now_ns = helpers::now_ns();
    }
    let ctx = TcContext::new(skb);
    let Some(interface) = find(Slot::of(work.generation), ctx.ifindex()) else {
        return Reason::Internal as u32;
    };
    let hook = direction(hook);
    let control = (work.generation, work.changes);
    let scene = Scene::new(&ctx, hook, control, work.now_ns, interface);
    run(&scene, work)
}

/// Asks the stages before the connection table (spec EV-001 and EV-002).
#[inline(always)]
fn before_tracking<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    match stages::before_tracking(scene, work) {
        Some(reason) => settle(scene, work, reason),
        None => after_stages(work.packet.protocol, work.packet.tcp_flags),
    }
}

/// What is next for a packet that nothing before the connection table has decided about.
#[inline(always)]
pub(crate) fn after_stages(protocol: u8, tcp_flags: u8) -> u32 {
    if conntrack::is_opening(protocol, tcp_flags) {
        next::OPEN
    } else {
        next::TRACK
    }
}

/// Judges a packet as the first of a flow.
#[inline(always)]
fn open<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, next: u32) -> u32 {
    let opening = conntrack::open(scene, work);
    let replaces = next == next::REPLACE && matches!(opening, Opening::Accept(_));
    let replaces = if replaces { next::REPLACES } else { 0 };
    replaces | after(scene, work, opening)
}

/// What is next for a packet of no known flow that has been judged.
#[inline(always)]
fn after<A: Address>(scene: &Scene<'_>, work: &Work<A>, opening: Opening) -> u32 {
    match opening {
        Opening::Verdict(reason) => settle(scene, work, reason),
        Opening::Accept(reason) => next::KEEP | reason as u32,
        Opening::Belongs {
            reason,
            replies,
            is_assured,
        } => {
            let replies = if replies { next::REPLIES } else { 0 };
            let assured = if is_assured { next::ASSURED } else { 0 };
            next::KEEP | replies | assured | reason as u32
        }
    }
}

/// Asks the rules of the list in the packet's trace, where nothing else is to be asked before.
#[inline(always)]
fn rules<A: Address>(ctx: &TcContext) -> u32 {
    let Some(work) = A::work() else {
        return Reason::Internal as u32;
    };
    let slot = Slot::of(work.generation);
    let Work { packet, trace, .. } = work;
    let reason = match classify_here(slot, packet, trace, ctx.len()) {
        Answer::Verdict(reason) => reason,
        // Only untracked rules say so.
        Answer::Continue => return after_stages(packet.protocol, packet.tcp_flags),
    };
    let allows = reason.allows();
    if allows && reason != Reason::Untracked {
        return next::KEEP | reason as u32;
    }
    let reports_denials = work.flags & FLAG_DENY_EVENTS != 0;
    if trace.logged_count != 0 || (!allows && reports_denials) || leaves_more() {
        return next::FINISH | reason as u32;
    }
    maps::count(work.counters, reason, u64::from(ctx.len()));
    reason as u32
}

/// Remembers the flow that an accepted packet opens.
#[inline(always)]
fn keep<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, next: u32) -> u32 {
    let keep = Keep {
        replaces: next & next::REPLACES != 0,
        replies: next & next::REPLIES != 0,
        is_assured: next & next::ASSURED != 0,
    };
    conntrack::keep(scene, work, keep);
    settle(scene, work, reason(next & next::NUMBER))
}

/// Counts a verdict, unless there is more to be done about it: then that is next.
#[inline(always)]
fn settle<A: Address>(scene: &Scene<'_>, work: &Work<A>, reason: Reason) -> u32 {
    if work.packet.fragment == Fragment::First
        || report::is_due(scene, &work.trace, reason)
        || leaves_more()
    {
        next::FINISH | reason as u32
    } else {
        conclude(scene, reason)
    }
}

/// Whether the programs were loaded to leave more behind than records that policy asks for. The
/// kernel knows the answer when it loads them.
#[inline(always)]
fn leaves_more() -> bool {
    maps::records_decisions() || level_enabled(Level::Debug)
}

/// Asks the connection table, and with it the rules.
#[inline(always)]
fn track<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    let verdict = if conntrack::is_error(&work.packet) {
        conntrack::related(scene, work)
    } else {
        conntrack::track(scene, work)
    };
    match verdict {
        Ok(reason) => settle(scene, work, reason),
        Err(Todo::Revalidate) => next::REVALIDATE,
        Err(Todo::Open) => next::OPEN,
        Err(Todo::Replace) => next::REPLACE,
        Err(Todo::Midstream) => next::MIDSTREAM,
        Err(Todo::Approve) => next::APPROVE,
    }
}

/// Finds out whether the packet's flow is to be judged by the rules in force before it is tracked.
#[inline(always)]
fn reclassify<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    work.revalidated = 1;
    if conntrack::reclassify(scene, work) {
        next::REVALIDATE
    } else {
        next::TRACK
    }
}

/// Judges the packet's flow by the rules in force.
#[inline(always)]
fn revalidate<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) -> u32 {
    conntrack::revalidate(scene, work);
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
