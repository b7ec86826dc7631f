//! The steps that judge a packet; each returns the next one, or the number of a reason.

use aya_ebpf::programs::TcContext;
use aya_log_ebpf::{
    debug,
    macro_support::{Level, level_enabled},
};
use hep_common::{counter::Reason, decision::Decision, settings::FLAG_DENY_EVENTS};

use crate::{
    address::Address,
    classify::{Answer, classify_here},
    conntrack::{self, Keep, Opening, Taken, Todo},
    context::{PacketContext, Route, Scratch},
    fragment, helpers,
    maps::{self, Slot},
    next_step,
    parse::{Fragment, Loader},
    report, stages,
};

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

/// Counts a verdict, and stores it if decisions are recorded.
#[inline(always)]
pub(crate) fn conclude(context: &PacketContext<'_>, reason: Reason) -> u32 {
    if maps::records_decisions() {
        maps::decide_reason(reason);
    }
    maps::count(context.counters(), reason, u64::from(context.bytes()));
    reason as u32
}

/// Parses a packet that is not plain.
#[inline(always)]
pub(crate) fn load<A: Address>(ctx: &TcContext) -> u32 {
    let Some(scratch) = A::scratch() else {
        return Reason::Internal as u32;
    };
    let offset = scratch.packet.transport;
    match A::parse(&Loader::new(ctx), offset, ctx.len(), &mut scratch.packet) {
        Ok(()) => next_step::STAGES,
        Err(reason) => next_step::FINISH | reason as u32,
    }
}

/// Runs the stages before the connection table (spec EV-001 and EV-002).
#[inline(always)]
pub(crate) fn before_tracking<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
) -> u32 {
    match stages::before_tracking(context, scratch) {
        Some(reason) => settle(context, scratch, reason),
        None => after_stages(scratch.packet.protocol, scratch.packet.tcp_flags),
    }
}

/// Next step for a packet that nothing before the connection table has decided about.
#[inline(always)]
pub(crate) fn after_stages(protocol: u8, tcp_flags: u8) -> u32 {
    if conntrack::is_opening(protocol, tcp_flags) {
        next_step::OPEN
    } else {
        next_step::TRACK
    }
}

/// Judges a packet as the first of a flow.
#[inline(always)]
pub(crate) fn open<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    next: u32,
) -> u32 {
    let opening = conntrack::open(context, scratch);
    let replaces = next == next_step::REPLACE && matches!(opening, Opening::Accept(_));
    let replaces = if replaces { next_step::REPLACES } else { 0 };
    replaces | after(context, scratch, opening)
}

/// Next step for a packet of no known flow that has been judged.
#[inline(always)]
pub(crate) fn after<A: Address>(
    context: &PacketContext<'_>,
    scratch: &Scratch<A>,
    opening: Opening,
) -> u32 {
    match opening {
        Opening::Verdict(reason) => settle(context, scratch, reason),
        Opening::Accept(reason) => next_step::KEEP | reason as u32,
        Opening::Belongs {
            reason,
            replies,
            is_assured,
        } => {
            let replies = if replies { next_step::REPLIES } else { 0 };
            let assured = if is_assured { next_step::ASSURED } else { 0 };
            next_step::KEEP | replies | assured | reason as u32
        }
    }
}

/// Evaluates the list in the packet's trace, where nothing else comes before it.
#[inline(always)]
pub(crate) fn rules<A: Address>(ctx: &TcContext) -> u32 {
    let Some(scratch) = A::scratch() else {
        return Reason::Internal as u32;
    };
    let slot = Slot::of(scratch.generation);
    let Scratch { packet, trace, .. } = scratch;
    let reason = match classify_here(slot, packet, trace, ctx.len()) {
        Answer::Verdict(reason) => reason,
        // Only untracked rules return this.
        Answer::Continue => return after_stages(packet.protocol, packet.tcp_flags),
    };
    let allows = reason.allows();
    if allows && reason != Reason::Untracked {
        return next_step::KEEP | reason as u32;
    }
    let reports_denials = scratch.flags & FLAG_DENY_EVENTS != 0;
    if trace.logged_count != 0 || (!allows && reports_denials) || leaves_more() {
        return next_step::FINISH | reason as u32;
    }
    maps::count(scratch.counters, reason, u64::from(ctx.len()));
    reason as u32
}

/// Updates the flow of an accepted packet, if there is one.
#[inline(always)]
pub(crate) fn keep<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    next: u32,
) -> u32 {
    match conntrack::take(context, scratch) {
        Taken::Yes => settle(context, scratch, reason(next & next_step::NUMBER)),
        Taken::No => (next & !next_step::KEEP) | next_step::STORE,
        Taken::Replace => (next & !next_step::KEEP) | next_step::STORE | next_step::REPLACES,
    }
}

/// Stores the flow that an accepted packet opens.
#[inline(always)]
pub(crate) fn store<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    next: u32,
) -> u32 {
    let keep = Keep {
        replaces: next & next_step::REPLACES != 0,
        replies: next & next_step::REPLIES != 0,
        is_assured: next & next_step::ASSURED != 0,
    };
    conntrack::store(context, scratch, &keep);
    settle(context, scratch, reason(next & next_step::NUMBER))
}

/// Counts a verdict, unless records must be written first: then that is the next step.
#[inline(always)]
fn settle<A: Address>(context: &PacketContext<'_>, scratch: &Scratch<A>, reason: Reason) -> u32 {
    if scratch.packet.fragment == Fragment::First
        || report::is_due(context, &scratch.trace, reason)
        || leaves_more()
    {
        next_step::FINISH | reason as u32
    } else {
        conclude(context, reason)
    }
}

/// Whether the programs were loaded to write more than the records that policy asks for: a constant to the
/// verifier.
#[inline(always)]
fn leaves_more() -> bool {
    maps::records_decisions() || level_enabled(Level::Debug)
}

/// Judges a packet by the connection table and, if need be, by the rules.
#[inline(always)]
pub(crate) fn track<A: Address>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> u32 {
    let verdict = if conntrack::is_error(&scratch.packet) {
        conntrack::related(context, scratch)
    } else {
        conntrack::track(context, scratch)
    };
    match verdict {
        Ok(reason) => settle(context, scratch, reason),
        Err(Todo::Revalidate) => next_step::REVALIDATE,
        Err(Todo::Open) => next_step::OPEN,
        Err(Todo::Replace) => next_step::REPLACE,
        Err(Todo::Midstream) => next_step::MIDSTREAM,
        Err(Todo::Approve) => next_step::APPROVE,
    }
}

/// Determines whether the rules in force must judge the packet's flow before the packet is tracked.
#[inline(always)]
pub(crate) fn reclassify<A: Address>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> u32 {
    scratch.revalidated = 1;
    if conntrack::reclassify(context, scratch) {
        next_step::REVALIDATE
    } else {
        next_step::TRACK
    }
}

/// Judges the packet's flow by the rules in force.
#[inline(always)]
pub(crate) fn revalidate<A: Address>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> u32 {
    conntrack::revalidate(context, scratch);
    next_step::TRACK
}

/// Writes the packet's records; returns the number of the reason.
#[inline(always)]
pub(crate) fn finish<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    reason: Reason,
) -> u32 {
    let Scratch { packet, trace, .. } = scratch;
    if packet.fragment == Fragment::First {
        fragment::remember(context, packet, reason);
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
    if report::is_due(context, trace, reason) {
        report::report(context, packet, trace, reason);
    }
    debug!(
        context.ctx,
        "ifindex {} direction {} protocol {} ports {} {} reason {} rule {}",
        context.interface.ifindex,
        context.direction as u8,
        packet.protocol,
        packet.src_port,
        packet.dst_port,
        reason as u8,
        trace.slot
    );
    conclude(context, reason)
}
