//! The steps that judge a packet; each returns the next one, or the reason of the verdict.

use aya_ebpf::programs::TcContext;
use aya_log_ebpf::debug;
use hep_common::{counter::Reason, decision::Decision, settings::FLAG_DENY_EVENTS};

use crate::{
    classify::{Answer, classify_here},
    conntrack::{self, Keep, Opening, Taken, Todo},
    context::PacketContext,
    fragment,
    frame::Load as _,
    ip::Ip,
    maps::{self, Slot},
    next_step::{Flag, Step},
    parse::Fragment,
    report,
    scratch::{Route, Scratch},
    stages,
    transition::{after_stages, conclude, leaves_more, settle},
};

/// Parses a packet that is not plain.
#[inline(always)]
pub(crate) fn load<A: Ip>(frame: &TcContext) -> Step {
    let Some(scratch) = A::scratch() else {
        return Step::done(Reason::Internal);
    };
    let offset = scratch.packet.transport;
    match A::parse(frame, offset, &mut scratch.packet) {
        Ok(()) => Step::STAGES,
        Err(reason) => Step::finish(reason),
    }
}

/// Runs the stages before the connection table (spec EV-001 and EV-002).
#[inline(always)]
pub(crate) fn before_tracking<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
) -> Step {
    match stages::before_tracking(context, scratch) {
        Some(reason) => settle(context, scratch, reason),
        None => after_stages(scratch.packet.protocol, scratch.packet.tcp_flags),
    }
}

/// Judges a packet as the first of a flow.
#[inline(always)]
pub(crate) fn open<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    step: Step,
) -> Step {
    let opening = conntrack::open(context, scratch);
    let replaces = step.is(Step::REPLACE) && matches!(opening, Opening::Accept(_));
    let replaces = Flag::REPLACES.when(replaces);
    after(context, scratch, opening).with(replaces)
}

/// Next step for a packet of no known flow that has been judged.
#[inline(always)]
pub(crate) fn after<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &Scratch<A>,
    opening: Opening,
) -> Step {
    match opening {
        Opening::Verdict(reason) => settle(context, scratch, reason),
        Opening::Accept(reason) => Step::keep(reason),
        Opening::Belongs {
            reason,
            replies,
            is_assured,
        } => Step::keep(reason)
            .with(Flag::REPLIES.when(replies))
            .with(Flag::ASSURED.when(is_assured)),
    }
}

/// Evaluates the list in the packet's trace, where nothing else comes before it.
#[inline(always)]
pub(crate) fn rules<A: Ip>(frame: &TcContext) -> Step {
    let Some(scratch) = A::scratch() else {
        return Step::done(Reason::Internal);
    };
    let slot = Slot::of(scratch.generation);
    let Scratch { packet, trace, .. } = scratch;
    let reason = match classify_here(slot, packet, trace, frame.bytes()) {
        Answer::Verdict(reason) => reason,
        // Only untracked rules return this.
        Answer::Continue => return after_stages(packet.protocol, packet.tcp_flags),
    };
    let allows = reason.allows();
    if allows && reason != Reason::Untracked {
        return Step::keep(reason);
    }
    let reports_denials = scratch.flags & FLAG_DENY_EVENTS != 0;
    if trace.logged_count != 0 || (!allows && reports_denials) || leaves_more() {
        return Step::finish(reason);
    }
    maps::count(scratch.counters, reason, u64::from(frame.bytes()));
    Step::done(reason)
}

/// Updates the flow of an accepted packet, if there is one.
#[inline(always)]
pub(crate) fn keep<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    step: Step,
) -> Step {
    let to_store = step.without(Flag::KEEP).with(Flag::STORE);
    match conntrack::take(context, scratch) {
        Taken::Yes => settle(context, scratch, step.reason()),
        Taken::No => to_store,
        Taken::Replace => to_store.with(Flag::REPLACES),
    }
}

/// Stores the flow that an accepted packet opens.
#[inline(always)]
pub(crate) fn store<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    step: Step,
) -> Step {
    let keep = Keep {
        replaces: step.has(Flag::REPLACES),
        replies: step.has(Flag::REPLIES),
        is_assured: step.has(Flag::ASSURED),
    };
    conntrack::store(context, scratch, &keep);
    settle(context, scratch, step.reason())
}

/// Judges a packet by the connection table and, if need be, by the rules.
#[inline(always)]
pub(crate) fn track<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Step {
    let verdict = if conntrack::is_error(&scratch.packet) {
        conntrack::related(context, scratch)
    } else {
        conntrack::track(context, scratch)
    };
    match verdict {
        Ok(reason) => settle(context, scratch, reason),
        Err(Todo::Revalidate) => Step::REVALIDATE,
        Err(Todo::Open) => Step::OPEN,
        Err(Todo::Replace) => Step::REPLACE,
        Err(Todo::Midstream) => Step::MIDSTREAM,
        Err(Todo::Approve) => Step::APPROVE,
    }
}

/// Determines whether the rules in force must judge the packet's flow before the packet is tracked.
#[inline(always)]
pub(crate) fn reclassify<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Step {
    scratch.revalidated = 1;
    if conntrack::reclassify(context, scratch) {
        Step::REVALIDATE
    } else {
        Step::TRACK
    }
}

/// Judges the packet's flow by the rules in force.
#[inline(always)]
pub(crate) fn revalidate<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Step {
    conntrack::revalidate(context, scratch);
    Step::TRACK
}

/// Writes the packet's records; returns its reason.
#[inline(always)]
pub(crate) fn finish<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    reason: Reason,
) -> Step {
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
        context.frame,
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
