//! A flow that older rules approved is judged by those in force (spec EV-160).

use hep_common::{
    Direction,
    conntrack::{ANY_INTERFACE, Conn, FLAG_BLOCKED, JUDGED_FORWARD},
    counter::{Note, Reason},
};

use super::{find, opener, pick};
use crate::{
    address::Address,
    classify::{Answer, classify},
    maps,
    parse::Packet,
    scene::{Scene, Work},
};

/// Judges the opener's tuple of the flow with the key at hand again wherever it was approved. The flow then counts as judged by
/// the generation in force: it goes on, or it is blocked.
#[inline(always)]
pub(crate) fn revalidate<A: Address>(scene: &Scene<'_>, work: &mut Work<A>) {
    let found = find(scene, work);
    let Some((flow, _)) = found else {
        return;
    };
    set_tuple(work, &flow.copied());
    let mut denied = false;
    for hook in [Direction::Ingress, Direction::Egress] {
        let conn = flow.copied();
        let mut approval = pick(conn.approvals, hook as usize);
        if approval.ifindex == 0 || approval.ifindex == ANY_INTERFACE {
            continue;
        }
        let forwarded = conn.judged & (JUDGED_FORWARD << hook as u8) != 0;
        match judge_at(scene, work, approval.ifindex, hook, forwarded) {
            Some(reason) if reason.allows() => approval.slot = work.other_trace.slot,
            Some(_) => denied = true,
            // The interface is not policed any more.
            None => {}
        }
        approval.generation = scene.generation;
        flow.set_approval(hook as usize, approval);
    }
    let flags = flow.copied().flags;
    let was_blocked = flags & FLAG_BLOCKED != 0;
    if denied && !was_blocked {
        scene.note(Note::FlowBlocked);
        flow.set_flags(flags | FLAG_BLOCKED);
    } else if !denied && was_blocked {
        flow.set_flags(flags & !FLAG_BLOCKED);
    }
}

/// Writes down the packet that opened the flow.
#[inline(always)]
fn set_tuple<A: Address>(work: &mut Work<A>, conn: &Conn) {
    let ends = A::ends(&work.key);
    let opened_by = opener(conn);
    let (src, src_port) = pick(ends, opened_by);
    let (dst, dst_port) = pick(ends, 1_usize.wrapping_sub(opened_by));
    work.other = Packet {
        src_port,
        dst_port,
        icmp_type: conn.icmp_type,
        ..Packet::bare(src, dst, conn.protocol)
    };
}

/// What the rules in force say about the flow's opener at an interface; `None` if that is not
/// policed.
#[inline(always)]
fn judge_at<A: Address>(
    scene: &Scene<'_>,
    work: &mut Work<A>,
    ifindex: u32,
    hook: Direction,
    forwarded: bool,
) -> Option<Reason> {
    let interface = maps::interface(scene.slot, ifindex)?;
    let lists = Scene::lists_at::<A>(interface, hook);
    let list = if forwarded {
        lists.forward
    } else {
        lists.local
    };
    let Work {
        other, other_trace, ..
    } = work;
    Some(match classify(scene.slot, list, other, other_trace, 0) {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    })
}
