//! Packets that open a flow, and the flow's entry.

use hep_common::{
    Direction,
    conntrack::{
        Conn, FLAG_HANDSHAKE, FLAG_OPENED_BY_A, FLAG_SEEDED, JUDGED_FORWARD, TAKEN_OVER, leg,
    },
    counter::{Note, Reason},
    protocol,
    settings::{FLAG_ALLOW_INVALID, FLAG_ANY_ICMP},
    tick::Tick,
};

use super::{
    icmp, known,
    lookup::{self, find},
    outcome::{Keep, Opening, Taken},
    rules::by_rules,
    sctp,
    tcp::{is_midstream, is_opening, said},
};
use crate::{
    context::{PacketContext, opposite},
    ip::Ip,
    parse::{Packet, tcp},
    route,
    scratch::{Route, Scratch},
};

/// Judges a packet that opens a connection, or one of no known flow that is not TCP.
#[inline(always)]
pub(crate) fn judge<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Opening {
    let packet = &scratch.packet;
    if let Some(reason) = invalid(context, packet) {
        return Opening::Verdict(reason);
    }
    let opening = is_opening(packet.protocol, packet.tcp_flags);
    if route::checks_reverse_path(context)
        && !(opening && is_known(context, scratch))
        && route::fails_reverse_path(context, &scratch.packet)
    {
        return Opening::Verdict(Reason::ReversePath);
    }
    let reason = by_rules(context, scratch);
    let packet = &scratch.packet;
    if reason.allows()
        && !icmp::is_reply(packet.protocol, packet.icmp_type)
        && !icmp::is_error(packet)
    {
        Opening::Accept(reason)
    } else {
        Opening::Verdict(reason)
    }
}

/// The reason to drop a packet without a flow, other than TCP, before any policy (spec EV-171, EV-267).
#[inline(always)]
fn invalid<A: Ip>(context: &PacketContext<'_>, packet: &Packet<A>) -> Option<Reason> {
    if packet.protocol == protocol::SCTP {
        let is_valid = sctp::may_come_first(packet.sctp_chunk) || context.has(FLAG_ALLOW_INVALID);
        return (!is_valid).then_some(Reason::InvalidSctp);
    }
    let is_valid = icmp::may_come_first(packet) || context.has(FLAG_ALLOW_INVALID | FLAG_ANY_ICMP);
    (!is_valid).then_some(Reason::InvalidIcmp)
}

/// Updates the flow of an accepted packet, if there is one; stores its key in the scratch state.
#[inline(always)]
pub(crate) fn take<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Taken {
    let sender = set_key(scratch);
    let packet = &scratch.packet;
    if is_opening(packet.protocol, packet.tcp_flags) {
        return known::take_syn(context, scratch, sender);
    }
    if is_midstream(packet) && known::take_segment(context, scratch, sender) {
        return Taken::Yes;
    }
    Taken::No
}

/// Stores the flow that an accepted packet opens, or belongs to, under the key in the scratch state.
#[inline(always)]
pub(crate) fn store<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>, keep: &Keep) {
    remember(context, scratch, keep);
    if keep.replaces {
        A::remove_assured(&scratch.key);
    }
    if is_midstream(&scratch.packet) {
        context.note(Note::PickedUp);
    }
}

/// Stores the packet's key in the scratch state; returns which end sent it.
#[inline(never)]
fn set_key<A: Ip>(scratch: &mut Scratch<A>) -> usize {
    let (key, sender) = lookup::key(&scratch.packet);
    scratch.key = key;
    sender
}

/// Whether the packet at hand belongs to a flow.
#[inline(never)]
fn is_known<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> bool {
    set_key(scratch);
    find(context, scratch).is_some()
}

/// Bits of [`Conn::judged`] for a flow with this route whose opener was judged at one hook.
#[inline(always)]
const fn judged_for(route: Route, hook: Direction) -> u8 {
    match (route, hook) {
        (Route::Forwarded, Direction::Ingress) => JUDGED_FORWARD,
        (Route::Forwarded, Direction::Egress) => JUDGED_FORWARD << 1,
        (Route::Local | Route::Unknown, _) => 0,
    }
}

/// The [`leg`] bits that both ends of a new flow start with, and [`FLAG_HANDSHAKE`] or nothing: a connection
/// that is picked up counts as past its handshake, unless this packet is part of it.
#[inline(always)]
fn start<A>(packet: &Packet<A>) -> (u8, u8) {
    if !is_midstream(packet) {
        (0, FLAG_HANDSHAKE)
    } else if packet.tcp_flags & tcp::SYN != 0 {
        (leg::SYN, 0)
    } else {
        (leg::SYN | leg::ACK, 0)
    }
}

/// Stores the flow that the packet opens, or from which it is picked up.
#[inline(never)]
fn remember<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>, keep: &Keep) {
    let Scratch {
        packet,
        key,
        conn,
        trace,
        ..
    } = scratch;
    let (_, sender) = lookup::key(&*packet);
    let (opened_by, hook) = if keep.replies {
        (1_usize.wrapping_sub(sender), opposite(context.direction))
    } else {
        (sender, context.direction)
    };
    let here = context.interface.ifindex;
    let (ifindexes, slots) = match hook {
        Direction::Ingress => ([here, 0], [trace.slot, 0]),
        Direction::Egress => ([0, here], [0, trace.slot]),
    };
    let judged = judged_for(trace.route, hook);
    let (heard, handshake) = start(&*packet);
    let mut flags = handshake;
    if opened_by == 0 {
        flags |= FLAG_OPENED_BY_A;
    }
    if trace.slot == TAKEN_OVER {
        flags |= FLAG_SEEDED;
    }
    let now = Tick::at(context.now_ns);
    *conn = Conn {
        legs: [heard; 2],
        flags,
        judged,
        event: if packet.protocol == protocol::TCP {
            Tick::NONE
        } else {
            now
        },
        generation: context.generation,
        classified: [context.classification(); 2],
        icmp_type: packet.icmp_type,
        protocol: packet.protocol,
        ifindexes,
        last_seen: now,
        next: [0; 2],
        packets: if sender == 0 { [1, 0] } else { [0, 1] },
        bytes_low: if sender == 0 {
            [context.bytes(), 0]
        } else {
            [0, context.bytes()]
        },
        bytes_high: [0; 2],
        slots,
    };
    conn.advance(sender, said(&*packet), packet.segment, now);
    let is_stored = keep.is_assured && A::insert_assured(key, conn);
    if !is_stored && !A::insert_unassured(key, conn) {
        context.note(Note::FlowNotStored);
    }
}
