//! A packet of a known flow.

use hep_common::{
    conntrack::{ANY_INTERFACE, Approval, Conn, FLAG_BLOCKED, JUDGED_FORWARD, RESET_GRACE_NS, leg},
    counter::{Note, Reason},
    protocol,
    settings::FLAG_ALLOW_INVALID,
    tick::Tick,
};

use super::{
    Home, Known, Stale, approving_hook, by_rules, find, icmp, is_classified, is_current, opener,
    pick,
};
use crate::{
    address::Address,
    maps::Flow,
    parse::{Packet, tcp},
    scene::{Route, Scene, Trace, Work},
};

/// Judges a packet of a known flow that does not open a connection; `None` if it opens a new flow.
///
/// # Errors
///
/// [`Stale`] if the rules in force have not judged the flow yet, or it may be local now and was
/// forwarded, or the other way round.
#[inline(always)]
pub(super) fn judge<A: Address>(
    scene: &Scene<'_>,
    work: &mut Work<A>,
    known: &Known,
) -> Result<Option<Reason>, Stale> {
    let Known { sender, flow, home } = known;
    let packet = &work.packet;
    let conn = flow.copied();
    let from_opener = *sender == opener(&conn);
    if !icmp::fits(
        packet.protocol,
        conn.icmp_type,
        packet.icmp_type,
        from_opener,
    ) {
        return Ok(None);
    }

    let (hook, approval) = approval_here(scene, *flow, &conn, *sender);
    let is_sound = is_current(scene, approval.generation) && is_classified(scene, &conn, hook);
    if !is_sound && work.revalidated == 0 {
        return Err(Stale);
    }
    if conn.flags & FLAG_BLOCKED != 0 {
        flow.refresh(Tick::at(scene.now_ns));
        return Ok(Some(Reason::Blocked));
    }

    let elsewhere = from_opener && approval.ifindex != scene.interface.ifindex;
    let mut verdict = Reason::Established;
    if approval.ifindex == 0 || elsewhere {
        if approval.ifindex == 0 && !may_be_approved(scene, packet) {
            return Ok(Some(Reason::InvalidTcp));
        }
        verdict = by_rules(scene, work);
        if !verdict.allows() {
            return Ok(Some(verdict));
        }
        approve(scene, &work.trace, *flow, hook);
    }
    advance(scene, work, *flow, *sender, *home);
    Ok(Some(verdict))
}

/// What became of a SYN that the rules accept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Syn {
    /// Its flow has it.
    Taken,
    /// It opens a new flow.
    Opens,
    /// It opens a new flow, which takes the place of an established one that has ended or is blocked.
    Reopens,
}

/// Takes a SYN that the rules accept into its flow, if there is one (spec EV-153, EV-160).
#[inline(never)]
pub(super) fn take_syn<A: Address>(scene: &Scene<'_>, work: &mut Work<A>, sender: usize) -> Syn {
    let Some((flow, home)) = find(scene, work) else {
        return Syn::Opens;
    };
    let conn = flow.copied();
    if is_over(&conn) || conn.flags & FLAG_BLOCKED != 0 {
        return match home {
            Home::Established => Syn::Reopens,
            Home::Half => Syn::Opens,
        };
    }
    let (hook, approval) = approval_here(scene, flow, &conn, sender);
    if sender == opener(&conn) || approval.ifindex == 0 {
        approve(scene, &work.trace, flow, hook);
    }
    advance(scene, work, flow, sender, home);
    Syn::Taken
}

/// The hook whose approval a packet of `sender` needs, and the approval; if that was given wherever
/// the flow is seen next, that is here.
#[inline(always)]
fn approval_here(scene: &Scene<'_>, flow: Flow, conn: &Conn, sender: usize) -> (usize, Approval) {
    let hook = approving_hook(scene, conn, sender);
    let mut approval = pick(conn.approvals, hook);
    if approval.ifindex == ANY_INTERFACE {
        approval.ifindex = scene.interface.ifindex;
        flow.set_approval(hook, approval);
    }
    (hook, approval)
}

/// Whether a packet that has found its flow not approved at this kind of hook is judged by the rules
/// (spec EV-152, EV-157); otherwise it is invalid.
#[inline(always)]
fn may_be_approved<A: Address>(scene: &Scene<'_>, packet: &Packet<A>) -> bool {
    packet.protocol != protocol::TCP
        || packet.tcp_flags & tcp::SYN != 0
        || packet.tcp_flags & tcp::STATE == tcp::ACK
        || scene.has(FLAG_ALLOW_INVALID)
}

/// Whether both ends have ended a connection, so that a SYN opens a new one (spec EV-153).
#[inline(always)]
fn is_over(conn: &Conn) -> bool {
    let [a, b] = conn.legs;
    a & (leg::FIN | leg::RST) != 0 && b & (leg::FIN | leg::RST) != 0
}

/// Stores the approval of one hook: of the rule that has just accepted a packet here.
#[inline(always)]
fn approve(scene: &Scene<'_>, trace: &Trace, flow: Flow, hook: usize) {
    let approval = Approval {
        ifindex: scene.interface.ifindex,
        generation: scene.generation,
        slot: trace.slot,
    };
    flow.set_approval(hook, approval);
    let forwarded = trace.route == Route::Forwarded;
    let bit = if hook == 0 {
        JUDGED_FORWARD
    } else {
        JUDGED_FORWARD << 1
    };
    flow.set_classified(hook, scene.classification());
    let judged = flow.copied().judged;
    flow.set_judged(if forwarded {
        judged | bit
    } else {
        judged & !bit
    });
}

/// Takes what an accepted packet says into its flow, and moves the flow if it is now established.
#[inline(never)]
fn advance<A: Address>(
    scene: &Scene<'_>,
    work: &mut Work<A>,
    flow: Flow,
    sender: usize,
    home: Home,
) {
    let Work {
        packet,
        key,
        conn: to_insert,
        ..
    } = work;
    let conn = flow.copied();
    let [mut a, mut b] = conn.legs;
    let now = Tick::at(scene.now_ns);
    let mut reset = conn.reset;
    if packet.protocol == protocol::TCP {
        if packet.tcp_flags & tcp::RST != 0 {
            reset = Tick::some_at(scene.now_ns);
        } else if packet.tcp_flags & tcp::SYN == 0 {
            // The ends talk on: the RST was not genuine (spec EV-156).
            a &= !leg::RST;
            b &= !leg::RST;
            if now.least_ns_since(reset) > RESET_GRACE_NS {
                reset = Tick::NONE;
            }
        }
    }
    let says = said(&*packet);
    if sender == 0 {
        a |= says;
    } else {
        b |= says;
    }
    if [a, b] != conn.legs || reset != conn.reset {
        flow.set_progress([a, b], reset);
    }
    flow.touch(sender, now, u64::from(scene.bytes()));
    if home == Home::Half && a & b & leg::SEEN != 0 {
        *to_insert = flow.copied();
        if to_insert.is_established(sender) {
            promote::<A>(scene, key, to_insert);
        }
    }
}

/// Moves a flow among the established ones.
#[inline(always)]
fn promote<A: Address>(scene: &Scene<'_>, key: &A::Key, conn: &Conn) {
    if A::insert_established(key, conn) {
        A::remove_half(key);
    } else {
        scene.note(Note::FlowNotStored);
    }
}

/// What a packet says about the end that sent it.
#[inline(always)]
pub(super) fn said<A>(packet: &Packet<A>) -> u8 {
    let mut said = leg::SEEN;
    if packet.protocol == protocol::TCP {
        let flags = packet.tcp_flags;
        if flags & tcp::SYN != 0 {
            said |= leg::SYN;
        }
        if flags & tcp::ACK != 0 {
            said |= leg::ACK;
        }
        if flags & tcp::FIN != 0 {
            said |= leg::FIN;
        }
        if flags & tcp::RST != 0 {
            said |= leg::RST;
        }
    }
    said
}
