//! Judges packets that the kernel delivers to this host although TC saw them as forwarded: those for foreign
//! addresses that it translated (DNAT, `REDIRECT`) or routed to a local socket (TPROXY); spec EV-260.
//!
//! A netfilter program per family, in front of the local processes. TC has already judged the packets that
//! were this host's own there, and answers to connections that this host opened.

mod context;

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use hep_common::{
    Direction, Family,
    counter::{Note, Reason},
    endpoint::Interface,
    fact::Fact,
    local::LocalAddress,
    settings::{
        FLAG_ALLOW_INVALID, FLAG_DENY_EVENTS, FLAG_ND_EXEMPT, FLAG_NO_IPV6, FLAG_RA_EXEMPT,
        FLAG_REVALIDATE,
    },
};

use crate::{
    address::Address,
    classify::{Answer, classify, classify_from},
    conntrack,
    context::lists_at,
    essential,
    ip::Ip,
    maps::{self, Policy, Slot},
    parse::{Fragment, Packet},
    report::{self, Place},
    scratch::{Route, Scratch},
    verdict::Verdict,
};
use context::{Connection, Context, Phase, Tracked};

/// Judges IPv4 packets that reach this host.
///
/// (The section is one that the loader of the other programs accepts; these have a loader of their own.)
#[expect(
    unsafe_code,
    reason = "the loader finds the program by name and section"
)]
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier")]
extern "C" fn hep_local_in4(context: *const context::Hook) -> i32 {
    judge::<[u8; 4]>(&Context::new(context)).netfilter_action()
}

/// Judges IPv6 packets that reach this host.
#[expect(
    unsafe_code,
    reason = "the loader finds the program by name and section"
)]
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier")]
extern "C" fn hep_local_in6(context: *const context::Hook) -> i32 {
    judge::<[u8; 16]>(&Context::new(context)).netfilter_action()
}

/// Next step for a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: TC has judged it.
    Pass,
    /// Judge it as the first of its connection.
    Judge,
    /// Judge it as one of a connection that rules have let in before: they do not count it.
    JudgeAgain,
    /// Drop it for this reason.
    Drop(Reason),
}

/// Judges a packet, unless TC has judged it as this host's own.
#[inline(always)]
fn judge<A: Ip>(context: &Context) -> Verdict {
    let connection = context.connection();
    // Most packets: they need no look at the interface.
    if let Some((connection, phase)) = connection
        && (phase == Phase::Answer || connection.goes_to::<A>(is_own))
    {
        return Verdict::Allow;
    }
    let (generation, _) = maps::control();
    let slot = Slot::of(generation);
    if generation == 0 {
        return Verdict::Allow;
    }
    let Some(interface) = interface(context, slot) else {
        return Verdict::Allow;
    };
    if matches!(A::FAMILY, Family::V6) && interface.behaviour & FLAG_NO_IPV6 != 0 {
        return Verdict::Allow;
    }
    let next = match connection {
        Some((connection, phase)) => tracked::<A>(connection, phase, interface, generation),
        None => untracked::<A>(context, interface),
    };
    let bytes = context.bytes();
    let counters = interface.counters.wrapping_add(Direction::Ingress as u32);
    let reason = match next {
        Next::Pass => return Verdict::Allow,
        Next::Judge | Next::JudgeAgain => {
            maps::note(counters, Note::Translated, u64::from(bytes));
            let count_bytes = if next == Next::Judge { bytes } else { 0 };
            let reason = by_rules::<A>(slot, interface, count_bytes);
            record::<A>(interface, generation, bytes, reason);
            reason
        }
        Next::Drop(reason) => reason,
    };
    if reason.allows() {
        return Verdict::Allow;
    }
    maps::count(counters, reason, u64::from(bytes));
    Verdict::Deny
}

/// Stores a packet of a connection that the kernel tracks in the scratch state, as received and as
/// translated. Returns the next step.
#[inline(never)]
fn tracked<A: Ip>(
    connection: Connection,
    phase: Phase,
    interface: &Interface,
    generation: u32,
) -> Next {
    let mut place = MaybeUninit::uninit();
    let Some(tracked) = Tracked::read(connection, &mut place) else {
        return Next::Drop(Reason::Internal);
    };
    let Some(scratch) = A::scratch() else {
        return Next::Drop(Reason::Internal);
    };
    scratch.other = tracked.as_received();
    if scratch.other.src.is_unspecified() {
        return Next::Pass;
    }
    if phase == Phase::Established && goes_on(interface, generation) {
        return Next::Pass;
    }
    scratch.packet = tracked.as_translated();
    if phase == Phase::New {
        Next::Judge
    } else {
        Next::JudgeAgain
    }
}

/// Stores a packet that the kernel does not track, and so has not translated, in the scratch state. Returns
/// the next step. It may be a fragment: without connection tracking the kernel reassembles IPv6 packets only
/// after this hook.
#[inline(never)]
fn untracked<A: Ip>(context: &Context, interface: &Interface) -> Next {
    let Some(scratch) = A::scratch() else {
        return Next::Drop(Reason::Internal);
    };
    let mut place = MaybeUninit::uninit();
    let bytes = match context.open(&mut place) {
        Ok(bytes) => bytes,
        Err(reason) => return Next::Drop(reason),
    };
    match bytes.destination::<A>() {
        Ok(destination) if is_own(&destination) => return Next::Pass,
        Ok(_foreign) => {}
        Err(reason) => return Next::Drop(reason),
    }
    if let Err(reason) = A::parse(&bytes, 0, &mut scratch.packet) {
        return Next::Drop(reason);
    }
    if needs_no_rules(&scratch.packet, interface) {
        return Next::Pass;
    }
    scratch.other = scratch.packet;
    if scratch.other.src.is_unspecified()
        || conntrack::is_settled_at_ingress(&scratch.other, interface.ifindex)
    {
        return Next::Pass;
    }
    Next::Judge
}

/// Whether a packet that TC let pass is exempt from the local rules.
#[inline(always)]
fn needs_no_rules<A: Address>(packet: &Packet<A>, interface: &Interface) -> bool {
    let has = |flag| interface.behaviour & flag != 0;
    // Nothing comes of later fragments unless the first one passes, which has the ports.
    packet.fragment == Fragment::Later
        || (has(FLAG_ND_EXEMPT)
            && essential::is_essential(packet, Direction::Ingress, has(FLAG_RA_EXEMPT)))
        // Of a known flow, or TC had dropped it.
        || (conntrack::is_error(packet)
            && !conntrack::is_for_rules(packet)
            && !has(FLAG_ALLOW_INVALID))
}

/// Puts a record of the packet on the event ring, if a `Log` rule matched or denials are reported.
#[inline(never)]
fn record<A: Ip>(interface: &'static Interface, generation: u32, bytes: u32, reason: Reason) {
    let Some(scratch) = A::scratch() else {
        return;
    };
    if scratch.trace.logged_count == 0
        && (reason.allows() || interface.behaviour & FLAG_DENY_EVENTS == 0)
    {
        return;
    }
    let place = Place {
        interface,
        generation,
        now_ns: now_ns(),
        frame_bytes: bytes,
        direction: Direction::Ingress,
        is_translated: true,
    };
    report::report_at(&place, &scratch.packet, &mut scratch.trace, reason);
}

/// The generation's entry of the interface that IP received the packet on or, if it has none, of the packet's
/// current interface: a VRF in place of its port.
#[inline(always)]
fn interface(context: &Context, slot: Slot) -> Option<&'static Interface> {
    let received = maps::interface_quickly(slot, context.received_by());
    match received {
        Some(_) => received,
        None => maps::interface_quickly(slot, context.device()),
    }
}

/// Whether TC has judged packets with this destination as this host's own.
#[inline(always)]
fn is_own<A: Address>(destination: &A) -> bool {
    let address = LocalAddress {
        address: destination.mapped(),
    };
    maps::is_quickly_own(&address)
        || maps::is_own_address(&address)
        || destination.is_for_everyone()
        || destination.is_unspecified()
}

/// Whether connections with packets of both ends are not judged again: policy changes spare them, or they
/// predate the first enforcement, which is still in force (spec EV-158, EV-160).
#[inline(always)]
fn goes_on(interface: &Interface, generation: u32) -> bool {
    interface.behaviour & FLAG_REVALIDATE == 0
        || context::fact::<{ Fact::SpareGeneration.mark() }>() == generation as usize
}

/// Judges the packet as translated; `other` is the packet as received.
#[inline(always)]
fn by_rules<A: Ip>(slot: Slot, interface: &'static Interface, count_bytes: u32) -> Reason {
    let Some(scratch) = A::scratch() else {
        return Reason::Internal;
    };
    let Scratch {
        packet,
        other,
        trace,
        other_trace,
        ..
    } = scratch;
    trace.reset();
    other_trace.reset();
    trace.route = Route::Local;
    let lists = lists_at::<A>(interface, Direction::Ingress);
    if lists.untracked != 0
        && let Answer::Verdict(reason) = classify(slot, lists.untracked, other, other_trace, 0)
        && reason.allows()
    {
        return reason;
    }
    let Some((policy, _)) = Policy::find(slot, lists.local.into()) else {
        return Reason::Internal;
    };
    let normal_from = policy.list().normal_from;
    if normal_from != 0 {
        // Pre-DNAT policy sees what was received, and its consent is enough (spec EV-044).
        let Answer::Verdict(reason) = classify(slot, lists.local, other, other_trace, 0) else {
            return Reason::Internal;
        };
        if other_trace.rule < normal_from && reason != Reason::Failsafe {
            return reason;
        }
        // Normal policy sees what it has become, behind the failsafes.
        let answer = classify(slot, lists.local, packet, trace, 0);
        if answer == Answer::Verdict(Reason::Failsafe) {
            return Reason::Failsafe;
        }
    }
    let answer = classify_from(slot, lists.local, packet, trace, count_bytes, normal_from);
    match answer {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    }
}

/// Monotonic clock, nanoseconds. The coarse one is no helper of netfilter programs.
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
fn now_ns() -> u64 {
    // SAFETY: the helper takes no arguments.
    unsafe { bpf_ktime_get_ns() }
}
