//! Packets of known flows.

use hep_common::{
    conntrack::{ANY_INTERFACE, Approval, Conn, FLAG_BLOCKED, JUDGED_FORWARD},
    counter::{Note, Reason},
    protocol,
    tick::Tick,
};

use super::{
    icmp,
    lookup::{Home, Known, approving_hook, find, is_classified, is_current, pick},
    outcome::{Taken, Todo},
    rules::by_rules,
    tcp::{is_midstream, said},
};
use crate::{
    context::PacketContext,
    ip::Ip,
    maps::Flow,
    route,
    scratch::{Route, Scratch, Trace},
};

/// Judges a packet of a known flow that does not open a connection; `None` if it opens a new flow.
///
/// # Errors
///
/// [`Todo`] if another step must come first: the rules in force have not judged the flow yet, it may have
/// changed between local and forwarded, or it is not approved here.
#[inline(always)]
pub(super) fn judge<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    known: &Known,
) -> Result<Option<Reason>, Todo> {
    let Known { sender, flow, home } = known;
    let conn = settled(context, scratch, *flow, *sender);
    let packet = &scratch.packet;
    let from_opener = *sender == conn.opener();
    if !icmp::fits(
        packet.protocol,
        conn.icmp_type,
        packet.icmp_type,
        from_opener,
    ) {
        return Ok(None);
    }

    let (hook, approval) = approval_here(context, &conn, *sender);
    let is_sound = is_current(context, conn.generation) && is_classified(context, &conn, hook);
    if !is_sound && scratch.revalidated == 0 {
        return Err(Todo::Revalidate);
    }
    if conn.flags & FLAG_BLOCKED != 0 {
        flow.refresh(Tick::at(context.now_ns));
        return Ok(Some(Reason::Blocked));
    }

    let elsewhere = from_opener && approval.ifindex != context.interface.ifindex;
    let mut verdict = Reason::Established;
    if approval.ifindex == 0 && is_midstream(packet) {
        return Err(Todo::Approve);
    }
    if approval.ifindex == 0 || elsewhere {
        verdict = by_rules(context, scratch);
        if !verdict.allows() {
            return Ok(Some(verdict));
        }
        approve(context, &scratch.trace, *flow, hook);
    }
    if conn.generation != context.generation && is_sound {
        flow.set_generation(context.generation);
    }
    advance(context, scratch, *flow, *sender, *home);
    Ok(Some(verdict))
}

/// Updates the flow of a SYN that the rules accepted, if there is one (spec EV-153, EV-160).
#[inline(never)]
pub(super) fn take_syn<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    sender: usize,
) -> Taken {
    let Some((flow, home)) = find(context, scratch) else {
        return Taken::No;
    };
    let conn = flow.copied();
    if conn.has_ended() || conn.flags & FLAG_BLOCKED != 0 {
        return match home {
            Home::Assured => Taken::Replace,
            Home::Unassured => Taken::No,
        };
    }
    let (hook, approval) = approval_here(context, &conn, sender);
    if sender == conn.opener() || approval.ifindex == 0 {
        approve(context, &scratch.trace, flow, hook);
    }
    advance(context, scratch, flow, sender, home);
    Taken::Yes
}

/// Updates the flow of a segment that was accepted though its flow was not known or not approved here;
/// returns whether there is one.
#[inline(never)]
pub(super) fn take_segment<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    sender: usize,
) -> bool {
    let Some((flow, home)) = find(context, scratch) else {
        return false;
    };
    let (hook, approval) = approval_here(context, &settled(context, scratch, flow, sender), sender);
    if approval.ifindex == 0 {
        approve(context, &scratch.trace, flow, hook);
    }
    advance(context, scratch, flow, sender, home);
    true
}

/// The hook whose approval a packet of `sender` needs, and the approval.
#[inline(always)]
fn approval_here(context: &PacketContext<'_>, conn: &Conn, sender: usize) -> (usize, Approval) {
    let hook = approving_hook(context, conn, sender);
    (hook, pick(conn.approvals(), hook))
}

/// A copy of a flow's entry, for a packet of `sender`. If the approval that the packet needs was given for
/// [`ANY_INTERFACE`], it is first bound to this interface, as local or forwarded like the packet.
#[inline(always)]
fn settled<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    flow: Flow,
    sender: usize,
) -> Conn {
    let conn = flow.copied();
    let (hook, approval) = approval_here(context, &conn, sender);
    if approval.ifindex != ANY_INTERFACE {
        return conn;
    }
    settle(context, scratch, flow, hook, approval);
    flow.copied()
}

/// Binds an approval to this interface.
#[inline(never)]
fn settle<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    flow: Flow,
    hook: usize,
    mut approval: Approval,
) {
    let Scratch { packet, trace, .. } = scratch;
    let forwarded = route::is_forwarded(context, &*packet, trace);
    approval.ifindex = context.interface.ifindex;
    set_approval(context, flow, hook, approval, forwarded);
}

/// Stores the approval of one hook, by the rule that has just accepted a packet here. If older rules judged
/// the flow, its next packet has it revalidated at every hook.
#[inline(always)]
fn approve(context: &PacketContext<'_>, trace: &Trace, flow: Flow, hook: usize) {
    let approval = Approval {
        ifindex: context.interface.ifindex,
        slot: trace.slot,
    };
    set_approval(
        context,
        flow,
        hook,
        approval,
        trace.route == Route::Forwarded,
    );
}

/// Stores an approval of one hook for a flow that is local or forwarded.
#[inline(always)]
fn set_approval(
    context: &PacketContext<'_>,
    flow: Flow,
    hook: usize,
    approval: Approval,
    forwarded: bool,
) {
    flow.set_approval(hook, approval);
    let bit = if hook == 0 {
        JUDGED_FORWARD
    } else {
        JUDGED_FORWARD << 1
    };
    flow.set_classified(hook, context.classification());
    let judged = flow.copied().judged;
    flow.set_judged(if forwarded {
        judged | bit
    } else {
        judged & !bit
    });
}

/// Updates the flow with an accepted packet, and moves it to another table if it is now assured, or has
/// ended.
#[inline(never)]
fn advance<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    flow: Flow,
    sender: usize,
    home: Home,
) {
    let Scratch {
        packet, key, conn, ..
    } = scratch;
    let now = Tick::at(context.now_ns);
    let (says, segment) = (said(&*packet), packet.segment);
    flow.touch(sender, now, context.bytes());
    *conn = flow.copied();
    conn.advance(sender, says, segment, now);
    flow.set_progress(conn);
    match home {
        Home::Unassured => {
            if conn.is_assured_by(sender, says, segment, now) {
                promote::<A>(context, key, conn);
            }
        }
        Home::Assured => {
            if conn.protocol == protocol::TCP && conn.has_ended() {
                demote::<A>(context, key, conn);
            }
        }
    }
}

/// Moves a flow to the table of assured ones, unless that is full.
#[inline(always)]
fn promote<A: Ip>(context: &PacketContext<'_>, key: &A::Key, conn: &mut Conn) {
    if conn.protocol != protocol::TCP {
        conn.event = Tick::NONE;
    }
    if A::insert_assured(key, conn) {
        A::remove_unassured(key);
    } else {
        context.note(Note::NotAssured);
    }
}

/// Moves a flow to the table of those that are not assured.
#[inline(always)]
fn demote<A: Ip>(context: &PacketContext<'_>, key: &A::Key, conn: &Conn) {
    if A::insert_unassured(key, conn) {
        A::remove_assured(key);
    } else {
        context.note(Note::FlowNotStored);
    }
}
