//! Revalidation of flows that older rules approved, or that were classified before the host's addresses
//! changed (spec EV-160, EV-259).

use hep_common::{
    Direction,
    conntrack::{ANY_INTERFACE, Approval, Conn, FLAG_BLOCKED, JUDGED_FORWARD},
    counter::{Note, Reason},
};

use super::{
    icmp::is_error,
    lookup::{find, is_classified, is_current, key, pick},
};
use crate::{
    classify::{Answer, classify},
    context::{PacketContext, lists_at},
    ip::Ip,
    maps::{self, Flow},
    parse::Packet,
    route,
    scratch::Scratch,
};

/// Classifies the flow with the current key again as local or forwarded; returns whether [`revalidate`] must
/// judge it again, because that changed or because other rules are in force since.
#[inline(always)]
pub(crate) fn reclassify<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> bool {
    let found = find(context, scratch);
    let Some((flow, _)) = found else {
        return false;
    };
    set_tuple(scratch, flow);
    classify_again(context, scratch, flow)
}

/// Judges the opener's tuple again at each hook that approved the flow; [`reclassify`] has stored the tuple.
/// The flow then counts as judged by the generation in force: it continues, or it is blocked.
#[inline(always)]
pub(crate) fn revalidate<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) {
    let found = find(context, scratch);
    let Some((flow, _)) = found else {
        return;
    };
    let mut denied = false;
    for hook in [Direction::Ingress, Direction::Egress] {
        let conn = flow.copied();
        let mut approval = pick(conn.approvals(), hook as usize);
        if !is_given(approval) {
            continue;
        }
        let forwarded = conn.judged & forward_bit(hook) != 0;
        match judge_at(context, scratch, approval.ifindex, hook, forwarded) {
            Some(reason) if reason.allows() => {
                approval.slot = scratch.other_trace.slot;
                flow.set_approval(hook as usize, approval);
            }
            Some(_) => denied = true,
            // The interface is not policed any more.
            None => {}
        }
    }
    flow.set_generation(context.generation);
    let flags = flow.copied().flags;
    let was_blocked = flags & FLAG_BLOCKED != 0;
    if denied && !was_blocked {
        context.note(Note::FlowBlocked);
        flow.set_flags(flags | FLAG_BLOCKED);
    } else if !denied && was_blocked {
        flow.set_flags(flags & !FLAG_BLOCKED);
    }
}

/// Whether a hook has approved the flow, at an interface that is known.
#[inline(always)]
const fn is_given(approval: Approval) -> bool {
    approval.ifindex != 0 && approval.ifindex != ANY_INTERFACE
}

/// The bit of [`Conn::judged`] for a hook.
#[inline(always)]
const fn forward_bit(hook: Direction) -> u8 {
    JUDGED_FORWARD << hook as u8
}

/// Stores whether the flow is local or forwarded now, for each approval (spec EV-259); returns whether the
/// rules must judge it again.
#[inline(always)]
fn classify_again<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    flow: Flow,
) -> bool {
    let conn = flow.copied();
    let mut judged = conn.judged;
    let mut is_due = !is_current(context, conn.generation);
    for hook in [Direction::Ingress, Direction::Egress] {
        let approval = pick(conn.approvals(), hook as usize);
        if !is_given(approval) {
            continue;
        }
        if is_classified(context, &conn, hook as usize) {
            continue;
        }
        let bit = forward_bit(hook);
        let forwarded = match hook {
            Direction::Ingress => is_forwarded_in(context, scratch, approval.ifindex),
            Direction::Egress => is_forwarded_out(context, scratch, &conn),
        };
        let Some(forwarded) = forwarded else {
            continue;
        };
        flow.set_classified(hook as usize, context.classification());
        judged = if forwarded {
            judged | bit
        } else {
            judged & !bit
        };
    }
    if judged != conn.judged {
        flow.set_judged(judged);
        is_due = true;
    }
    is_due
}

/// Whether the opener's packets that arrive at an interface are forwarded; `None` if that is not
/// policed any more.
#[inline(always)]
fn is_forwarded_in<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &Scratch<A>,
    ifindex: u32,
) -> Option<bool> {
    let interface = maps::interface(context.slot, ifindex)?;
    Some(!route::is_for_host(context, &scratch.other, interface))
}

/// Whether the opener's packets that leave are forwarded; `None` if the current packet does not show it.
#[inline(always)]
fn is_forwarded_out<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    conn: &Conn,
) -> Option<bool> {
    let Scratch { packet, trace, .. } = scratch;
    if is_error(&*packet) {
        return None;
    }
    let (_, sender) = key(&*packet);
    let is_from_opener = sender == conn.opener();
    let forwarded = route::is_forwarded(context, packet, trace);
    match (context.direction, is_from_opener) {
        (Direction::Egress, true) => Some(forwarded),
        // A local answer proves nothing about a forwarded flow: the kernel may translate that flow's source.
        (Direction::Ingress, false)
            if forwarded || conn.judged & forward_bit(Direction::Egress) == 0 =>
        {
            Some(forwarded)
        }
        (Direction::Ingress | Direction::Egress, _) => None,
    }
}

/// Stores the packet that opened the flow in the scratch state.
#[inline(never)]
fn set_tuple<A: Ip>(scratch: &mut Scratch<A>, flow: Flow) {
    let conn = flow.copied();
    let ends = A::ends(&scratch.key);
    let opened_by = conn.opener();
    let (src, src_port) = pick(ends, opened_by);
    let (dst, dst_port) = pick(ends, 1_usize.wrapping_sub(opened_by));
    scratch.other = Packet {
        src_port,
        dst_port,
        icmp_type: conn.icmp_type,
        ..Packet::bare(src, dst, conn.protocol)
    };
}

/// Verdict of the rules in force on the opener's tuple at an interface; `None` if that is not policed.
#[inline(always)]
fn judge_at<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    ifindex: u32,
    hook: Direction,
    forwarded: bool,
) -> Option<Reason> {
    let interface = maps::interface(context.slot, ifindex)?;
    let lists = lists_at::<A>(interface, hook);
    let list = if forwarded {
        lists.forward
    } else {
        lists.local
    };
    let Scratch {
        other, other_trace, ..
    } = scratch;
    Some(match classify(context.slot, list, other, other_trace, 0) {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    })
}
