//! The TC programs, and the order of the steps that judge a packet.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use hep_common::{Direction, counter::Reason, endpoint::Interface};

use crate::{
    address::Address,
    conntrack,
    context::{PacketContext, Scratch},
    fast_path, helpers,
    maps::{self, Slot},
    next_step,
    parse::Metadata as _,
    steps::{
        after, before_tracking, finish, keep, load, open, reason, reclassify, revalidate, rules,
        store, track,
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
/// number of a [`Reason`], or the next step.
#[inline(always)]
fn decide(ctx: &TcContext, direction: Direction) -> Verdict {
    let skb = ctx.skb.skb;
    let hook = direction as u32;
    let next = match direction {
        Direction::Ingress => fast_path::hep_fast_path_in(skb),
        Direction::Egress => fast_path::hep_fast_path_out(skb),
    };
    let number = if next & next_step::FAMILY_V4 != 0 {
        steps4(skb, hook, next & !next_step::FAMILY_V4)
    } else if next & next_step::FAMILY_V6 != 0 {
        steps6(skb, hook, next & !next_step::FAMILY_V6)
    } else {
        next
    };
    Verdict::from(reason(number))
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
        /// Takes the steps that a packet needs, from `next` on.
        #[inline(always)]
        fn $steps(skb: *mut __sk_buff, hook: u32, mut next: u32) -> u32 {
            if next == next_step::RULES {
                next = $rules(skb);
            }
            if next == next_step::LOAD {
                next = $load(skb);
            }
            if next == next_step::STAGES {
                next = $stages(skb, hook);
            }
            if next == next_step::TRACK {
                next = $track(skb, hook);
            }
            if next == next_step::REVALIDATE {
                if $reclassify(skb, hook) == next_step::REVALIDATE {
                    $revalidate(skb, hook);
                }
                next = $track(skb, hook);
            }
            if next == next_step::MIDSTREAM || next == next_step::APPROVE {
                next = $midstream(skb, hook, next);
            }
            if next == next_step::OPEN || next == next_step::REPLACE {
                next = $open(skb, hook, next);
            }
            if next & next_step::KEEP != 0 {
                next = $keep(skb, hook, next);
            }
            if next & next_step::STORE != 0 {
                next = $store(skb, hook, next);
            }
            if next & next_step::FINISH != 0 {
                next = $finish(skb, hook, next & !next_step::FINISH);
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
            step::<$address>(skb, hook, maps::interface, |context, scratch| {
                let is_known = next == next_step::APPROVE;
                let opening = conntrack::midstream(context, scratch, is_known);
                after(context, scratch, opening)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $open(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, |context, scratch| {
                open(context, scratch, next)
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
            step::<$address>(skb, hook, maps::interface_quickly, |context, scratch| {
                keep(context, scratch, next)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $store(skb: *mut __sk_buff, hook: u32, next: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface_quickly, |context, scratch| {
                store(context, scratch, next)
            })
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $finish(skb: *mut __sk_buff, hook: u32, number: u32) -> u32 {
            step::<$address>(skb, hook, maps::interface, |context, scratch| {
                finish(context, scratch, reason(number))
            })
        }
    };
}

steps!([u8; 4], steps4: hep_load4, hep_stages4, hep_track4, hep_reclassify4, hep_revalidate4, hep_midstream4, hep_open4, hep_rules4, hep_keep4, hep_store4, hep_finish4);
steps!([u8; 16], steps6: hep_load6, hep_stages6, hep_track6, hep_reclassify6, hep_revalidate6, hep_midstream6, hep_open6, hep_rules6, hep_keep6, hep_store6, hep_finish6);

/// Runs a step with the packet's context, at the interface that `find` finds.
#[inline(always)]
fn step<A: Address>(
    skb: *mut __sk_buff,
    hook: u32,
    find: impl FnOnce(Slot, u32) -> Option<&'static Interface>,
    run: impl FnOnce(&PacketContext<'_>, &mut Scratch<A>) -> u32,
) -> u32 {
    let Some(scratch) = A::scratch() else {
        return Reason::Internal as u32;
    };
    if scratch.now_ns == 0 {
        scratch.now_ns = helpers::now_ns();
    }
    let ctx = TcContext::new(skb);
    let Some(interface) = find(Slot::of(scratch.generation), ctx.ifindex()) else {
        return Reason::Internal as u32;
    };
    let hook = direction(hook);
    let control = (scratch.generation, scratch.changes);
    let context = PacketContext::new(&ctx, hook, control, scratch.now_ns, interface);
    run(&context, scratch)
}
