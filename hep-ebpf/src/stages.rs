//! The stages before the connection table, in their order (spec EV-001 and EV-002).

use hep_common::{
    Direction,
    counter::Reason,
    settings::{FLAG_ND_EXEMPT, FLAG_RA_EXEMPT},
};

use crate::{
    classify::{Answer, Judged, classify},
    context::PacketContext,
    essential, fragment,
    frame::{Frame, Query},
    parse::{Fragment, Packet},
    route::{self, Routed},
    scratch::{Route, Scratch, Trace},
};

/// Whether the packet bears the mark of forwarded packets that were accepted untracked.
#[inline(always)]
pub(crate) fn bears_mark(context: &PacketContext<'_, impl Frame>) -> bool {
    let mark = context.interface.bypass_mark;
    mark != 0 && context.frame.mark() & mark != 0
}

/// Runs the stages in order; the first verdict ends them.
#[inline(always)]
pub(crate) fn before_tracking<A: Judged + Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    scratch: &mut Scratch<A>,
) -> Option<Reason> {
    let Scratch { packet, trace, .. } = scratch;
    let marked = bears_mark(context);
    if marked && matches!(context.direction, Direction::Ingress) {
        // Only this hook decides which packets may skip the rules of the next one.
        let mark = context.frame.mark() & !context.interface.bypass_mark;
        context.frame.set_mark(mark);
    }
    if route::is_martian(context, packet) {
        return Some(Reason::Martian);
    }
    if packet.fragment == Fragment::Later {
        let (reason, untracked) = fragment::later(context, packet);
        if untracked {
            let_pass(context);
        }
        return Some(reason);
    }
    if context.has(FLAG_ND_EXEMPT)
        && essential::is_essential(packet, context.direction, context.has(FLAG_RA_EXEMPT))
        && !route::is_routed(context, packet, trace)
    {
        return Some(Reason::Essential);
    }
    if marked
        && matches!(context.direction, Direction::Egress)
        && route::is_forwarded(context, packet, trace)
    {
        return Some(Reason::Bypass);
    }
    if context.lists::<A>().untracked != 0
        && let Answer::Verdict(reason) = untracked(context, packet, trace)
    {
        if reason == Reason::Untracked && trace.route == Route::Forwarded {
            let_pass(context);
        }
        return Some(reason);
    }
    None
}

/// Marks a packet accepted untracked where it came in, so that it passes where it goes out (spec
/// EV-080).
#[inline(always)]
fn let_pass(context: &PacketContext<'_, impl Frame>) {
    if matches!(context.direction, Direction::Ingress) && context.interface.bypass_mark != 0 {
        context
            .frame
            .set_mark(context.frame.mark() | context.interface.bypass_mark);
    }
}

/// Evaluates the untracked rules, unless a failsafe is involved (spec EV-068, EV-069, EV-079).
#[inline(always)]
fn untracked<A: Judged + Routed<F>, F: Query>(
    context: &PacketContext<'_, F>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> Answer {
    let lists = context.lists::<A>();
    let forwarded = route::is_forwarded(context, packet, trace);
    if forwarded && matches!(context.direction, Direction::Egress) {
        return Answer::Continue;
    }
    if !forwarded && lists.exempt != 0 {
        match classify(context.slot, lists.exempt, packet, trace, 0) {
            Answer::Continue => {}
            Answer::Verdict(Reason::Internal) => return Answer::Verdict(Reason::Internal),
            Answer::Verdict(_) => return Answer::Continue,
        }
    }
    classify(
        context.slot,
        lists.untracked,
        packet,
        trace,
        context.bytes(),
    )
}
