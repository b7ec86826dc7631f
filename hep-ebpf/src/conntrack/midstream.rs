//! Judges TCP segments of connections whose start was not seen (spec EV-070, EV-157, EV-158, EV-264).

use hep_common::{conntrack::TAKEN_OVER, counter::Reason, settings::FLAG_ALLOW_INVALID};

use super::{
    outcome::{Opener, Opening},
    rules::{by_rules, list},
    socket::{self, CONNECTED, CONNECTING},
};
use crate::{
    classify::{Answer, classify},
    context::{PacketContext, lists_at, opposite},
    ip::Ip,
    maps,
    parse::{Packet, tcp},
    route,
    scratch::Scratch,
};

/// Whether this interface is in its grace period.
#[inline(always)]
fn is_in_grace(context: &PacketContext<'_>) -> bool {
    context.now_ns < maps::grace_until_ns(context.interface.ifindex)
}

/// Judges a segment that does not open a connection. Its flow is not known or, if `is_known`, not approved at
/// this kind of hook.
#[inline(always)]
pub(crate) fn judge<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    is_known: bool,
) -> Opening {
    let flags = scratch.packet.tcp_flags & tcp::STATE;
    let segment = Segment {
        flags,
        is_known,
        by_policy: flags == tcp::ACK
            || context.has(FLAG_ALLOW_INVALID)
            || (is_known && flags & tcp::SYN != 0),
        in_grace: flags & tcp::ACK != 0 && is_in_grace(context),
    };
    if !segment.by_policy && flags & tcp::ACK == 0 {
        return Opening::Verdict(Reason::InvalidTcp);
    }
    if route::is_forwarded(context, &scratch.packet, &mut scratch.trace) {
        forwarded(context, scratch, &segment)
    } else {
        local(context, scratch, &segment)
    }
}

/// A segment, and how it may be judged.
struct Segment {
    /// Its TCP flags of state (`tcp::STATE`).
    flags: u8,
    /// Whether its flow is known.
    is_known: bool,
    /// Whether the rules of its own direction may judge it (spec EV-157).
    by_policy: bool,
    /// Whether its connection may be older than policy on the interface (spec EV-158).
    in_grace: bool,
}

impl Segment {
    /// Whether the segment is subject to the reverse-path check and fails it.
    #[inline(always)]
    fn fails_reverse_path<A: Ip>(&self, context: &PacketContext<'_>, packet: &Packet<A>) -> bool {
        route::checks_reverse_path(context)
            && !self.is_known
            && route::fails_reverse_path(context, packet)
    }

    /// Decision for a segment that belongs to a connection. A RST is let through without storing a flow: it
    /// proves nothing.
    #[inline(always)]
    const fn belongs(&self, reason: Reason, replies: bool, is_assured: bool) -> Opening {
        if self.flags & tcp::RST != 0 {
            return Opening::Verdict(reason);
        }
        Opening::Belongs {
            reason,
            replies,
            is_assured,
        }
    }

    /// Judges the segment by the rules of its own direction; it is invalid if they may not judge it.
    #[inline(always)]
    fn by_own_rules<A: Ip>(
        &self,
        context: &PacketContext<'_>,
        scratch: &mut Scratch<A>,
    ) -> Opening {
        if !self.by_policy {
            return Opening::Verdict(Reason::InvalidTcp);
        }
        let reason = by_rules(context, scratch);
        if reason.allows() {
            Opening::Accept(reason)
        } else {
            Opening::Verdict(reason)
        }
    }
}

/// Judges a segment from or to this host. Its sockets are looked up for segments that would be dropped, and
/// in the grace period for all.
#[inline(always)]
fn local<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    segment: &Segment,
) -> Opening {
    if segment.in_grace
        && let Some(opening) = taken_over(context, scratch, segment)
    {
        return opening;
    }
    if segment.fails_reverse_path(context, &scratch.packet) {
        return Opening::Verdict(if segment.by_policy {
            Reason::ReversePath
        } else {
            Reason::InvalidTcp
        });
    }
    let may_have_socket = !segment.in_grace && segment.flags & (tcp::ACK | tcp::SYN) == tcp::ACK;
    if may_have_socket
        && !(segment.by_policy && own_rules_allow(context, scratch))
        && let Some(opener) = socket::opener(context, &scratch.packet, CONNECTED)
        && let Some(opening) = goes_on(context, scratch, segment, opener)
    {
        return opening;
    }
    segment.by_own_rules(context, scratch)
}

/// Lets a connection of this host from before the interface came under policy continue.
#[inline(always)]
fn taken_over<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    segment: &Segment,
) -> Option<Opening> {
    let is_handshake = segment.flags & tcp::SYN != 0;
    let states = if is_handshake { CONNECTING } else { CONNECTED };
    let opener = socket::opener(context, &scratch.packet, states)?;
    scratch.trace.slot = TAKEN_OVER;
    let replies = is_handshake || opener == Opener::Receiver;
    Some(segment.belongs(Reason::Established, replies, !is_handshake))
}

/// Lets a connection that this host has open continue if the rules in force accept its opener's packet, or a
/// failsafe of the other direction covers it.
#[inline(always)]
fn goes_on<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    segment: &Segment,
    opener: Opener,
) -> Option<Opening> {
    if opener == Opener::Sender && !segment.by_policy && own_rules_allow(context, scratch) {
        scratch.trace.slot = scratch.other_trace.slot;
        return Some(segment.belongs(Reason::Established, false, true));
    }
    let reason = answered(context, scratch);
    if reason == Reason::Failsafe || (opener == Opener::Receiver && reason.allows()) {
        note_rule(scratch);
        let reason = if reason == Reason::Failsafe {
            reason
        } else {
            Reason::Established
        };
        return Some(segment.belongs(reason, true, true));
    }
    None
}

/// Judges a forwarded segment: in the grace period by the rules of either direction.
#[inline(always)]
fn forwarded<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
    segment: &Segment,
) -> Opening {
    if (segment.by_policy || segment.in_grace)
        && segment.fails_reverse_path(context, &scratch.packet)
    {
        return Opening::Verdict(Reason::ReversePath);
    }
    if segment.in_grace {
        if segment.flags & tcp::SYN == 0 && !segment.by_policy && own_rules_allow(context, scratch)
        {
            note_rule(scratch);
            let reason = by_rules(context, scratch);
            return segment.belongs(reason, false, false);
        }
        if !(segment.by_policy && own_rules_allow(context, scratch)) {
            let reason = answered(context, scratch);
            if reason.allows() {
                note_rule(scratch);
                return segment.belongs(reason, true, false);
            }
        }
    }
    segment.by_own_rules(context, scratch)
}

/// Whether the rules of the packet's own direction accept it; their trace is in `other_trace`.
#[inline(never)]
fn own_rules_allow<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> bool {
    let Scratch {
        packet,
        trace,
        other_trace,
        ..
    } = scratch;
    let list = list(context, packet, trace);
    match classify(context.slot, list, packet, other_trace, 0) {
        Answer::Verdict(reason) => reason.allows(),
        Answer::Continue => false,
    }
}

/// Verdict of the other direction's rules on the packet that this one answers; their trace is in
/// `other_trace`.
#[inline(never)]
fn answered<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Reason {
    let Scratch {
        packet,
        trace,
        other,
        other_trace,
        ..
    } = scratch;
    *other = Packet {
        src_port: packet.dst_port,
        dst_port: packet.src_port,
        ..Packet::bare(packet.dst, packet.src, packet.protocol)
    };
    let lists = lists_at::<A>(context.interface, opposite(context.direction));
    let list = if route::is_forwarded(context, packet, trace) {
        lists.forward
    } else {
        lists.local
    };
    match classify(context.slot, list, other, other_trace, 0) {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    }
}

/// Records the rule in `other_trace` as the one that decided.
#[inline(always)]
fn note_rule<A: Ip>(scratch: &mut Scratch<A>) {
    let Scratch {
        trace, other_trace, ..
    } = scratch;
    trace.list = other_trace.list;
    trace.rule = other_trace.rule;
    trace.slot = other_trace.slot;
}
