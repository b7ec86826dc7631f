//! The TC programs, and the order of the steps that judge a packet.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use hep_common::{Direction, Family, counter::Reason, endpoint::Interface};

use crate::{
    conntrack,
    context::PacketContext,
    fast_path,
    frame::Frame as _,
    helpers,
    ip::Ip,
    maps::{self, Slot},
    next_step::{Flag, Step},
    scratch::Scratch,
    steps::{
        after, before_tracking, finish, keep, load, open, reclassify, revalidate, rules, store,
        track,
    },
    verdict::Verdict,
};

/// The license that the kernel requires for some helpers.
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

/// Judges a packet: on the fast path, or in steps.
///
/// The functions that do it are global, so that the kernel verifies each by itself, and are called one after
/// the other, so that they need not share the stack. Their findings are in a [`Scratch`]. Each returns the
/// number of the next [`Step`].
#[inline(always)]
fn decide(ctx: &TcContext, direction: Direction) -> Verdict {
    let skb = ctx.skb.skb;
    let hook = direction as u32;
    let first = Step::of(match direction {
        Direction::Ingress => fast_path::hep_fast_path_in(skb),
        Direction::Egress => fast_path::hep_fast_path_out(skb),
    });
    let last = match first.family() {
        Some(Family::V4) => steps4(skb, hook, first.of_no_family()),
        Some(Family::V6) => steps6(skb, hook, first.of_no_family()),
        None => first,
    };
    Verdict::from(last.reason())
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

/// Declares the steps of one family.
macro_rules! steps {
    ($address:ty, $steps:ident: $load:ident, $stages:ident, $track:ident, $reclassify:ident,
     $revalidate:ident, $midstream:ident, $open:ident, $rules:ident, $keep:ident, $store:ident, $finish:ident) => {
        /// Takes the steps that a packet needs, from `step` on.
        #[inline(always)]
        fn $steps(skb: *mut __sk_buff, hook: u32, mut step: Step) -> Step {
            if step.is(Step::RULES) {
                step = Step::of($rules(skb));
            }
            if step.is(Step::LOAD) {
                step = Step::of($load(skb));
            }
            if step.is(Step::STAGES) {
                step = Step::of($stages(skb, hook));
            }
            if step.is(Step::TRACK) {
                step = Step::of($track(skb, hook));
            }
            if step.is(Step::REVALIDATE) {
                if Step::of($reclassify(skb, hook)).is(Step::REVALIDATE) {
                    $revalidate(skb, hook);
                }
                step = Step::of($track(skb, hook));
            }
            if matches!(step, Step::MIDSTREAM | Step::APPROVE) {
                step = Step::of($midstream(skb, hook, step.number()));
            }
            if matches!(step, Step::OPEN | Step::REPLACE) {
                step = Step::of($open(skb, hook, step.number()));
            }
            if step.has(Flag::KEEP) {
                step = Step::of($keep(skb, hook, step.number()));
            }
            if step.has(Flag::STORE) {
                step = Step::of($store(skb, hook, step.number()));
            }
            if step.has(Flag::FINISH) {
                step = Step::of($finish(skb, hook, step.number()));
            }
            step
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $load(skb: *mut __sk_buff) -> u32 {
            load::<$address>(&TcContext::new(skb)).number()
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $stages(skb: *mut __sk_buff, hook: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, before_tracking)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $track(skb: *mut __sk_buff, hook: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, track)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $reclassify(skb: *mut __sk_buff, hook: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, reclassify)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $revalidate(skb: *mut __sk_buff, hook: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, revalidate)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $midstream(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, |context, scratch| {
                let is_known = Step::of(number).is(Step::APPROVE);
                let opening = conntrack::midstream(context, scratch, is_known);
                after(context, scratch, opening)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $open(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, |context, scratch| {
                open(context, scratch, Step::of(number))
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $rules(skb: *mut __sk_buff) -> u32 {
            rules::<$address>(&TcContext::new(skb)).number()
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $keep(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface_quickly, |context, scratch| {
                keep(context, scratch, Step::of(number))
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $store(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface_quickly, |context, scratch| {
                store(context, scratch, Step::of(number))
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $finish(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            run::<$address>(skb, hook, maps::interface, |context, scratch| {
                finish(context, scratch, Step::of(number).reason())
            })
        }
    };
}

steps!([u8; 4], steps4: hep_load4, hep_stages4, hep_track4, hep_reclassify4, hep_revalidate4, hep_midstream4, hep_open4, hep_rules4, hep_keep4, hep_store4, hep_finish4);
steps!([u8; 16], steps6: hep_load6, hep_stages6, hep_track6, hep_reclassify6, hep_revalidate6, hep_midstream6, hep_open6, hep_rules6, hep_keep6, hep_store6, hep_finish6);

/// Runs a step with the packet's context, at the interface that `find` finds.
#[inline(always)]
fn run<A: Ip>(
    skb: *mut __sk_buff,
    hook: u32,
    find: impl FnOnce(Slot, u32) -> Option<&'static Interface>,
    step: impl FnOnce(&PacketContext<'_>, &mut Scratch<A>) -> Step,
) -> u32 {
    let Some(scratch) = A::scratch() else {
        return Step::done(Reason::Internal).number();
    };
    if scratch.now_ns == 0 {
        scratch.now_ns = helpers::now_ns();
    }
    let frame = TcContext::new(skb);
    let Some(interface) = find(Slot::of(scratch.generation), frame.ifindex()) else {
        return Step::done(Reason::Internal).number();
    };
    let hook = direction(hook);
    let control = (scratch.generation, scratch.changes);
    let context = PacketContext::new(&frame, hook, control, scratch.now_ns, interface);
    step(&context, scratch).number()
}
