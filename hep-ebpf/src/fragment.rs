//! Later fragments take the verdict of the first one (spec EV-179).

use hep_common::{
    counter::{Note, Reason},
    fragment::{FragmentKey, FragmentVerdict},
};

use crate::{address::Address, context::PacketContext, frame::Frame, maps, parse::Packet};

/// The key of the fragmented packet that `packet` is a part of.
#[inline(always)]
fn key<A: Address>(context: &PacketContext<'_, impl Frame>, packet: &Packet<A>) -> FragmentKey {
    FragmentKey {
        src: packet.src.mapped(),
        dst: packet.dst.mapped(),
        ifindex: context.interface.ifindex,
        id: packet.fragment_id,
        direction: context.direction as u8,
        protocol: packet.fragment_protocol,
        reserved: [0; 2],
    }
}

/// The verdict's reason of the first fragment, or [`Reason::FragmentNoFirst`] if none is stored that has not
/// expired.
#[inline(never)]
fn recall<A: Address>(context: &PacketContext<'_, impl Frame>, packet: &Packet<A>) -> Reason {
    let Some(settings) = context.settings() else {
        return Reason::Internal;
    };
    maps::fragment(key(context, packet))
        .filter(|verdict| {
            context.now_ns.saturating_sub(verdict.seen_ns) <= settings.fragment_timeout_ns
        })
        .and_then(|verdict| Reason::try_from(verdict.reason).ok())
        .unwrap_or(Reason::FragmentNoFirst)
}

/// The verdict of a later fragment, and whether its first one was accepted untracked.
#[inline(always)]
pub(crate) fn later<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
) -> (Reason, bool) {
    let first = recall(context, packet);
    let reason = if first == Reason::FragmentNoFirst {
        first
    } else if first.allows() {
        Reason::FragmentAllow
    } else {
        Reason::FragmentDeny
    };
    (reason, first == Reason::Untracked)
}

/// Remembers the verdict of a first fragment.
#[inline(never)]
pub(crate) fn remember<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
    reason: Reason,
) {
    let verdict = FragmentVerdict {
        seen_ns: context.now_ns,
        reason: reason as u8,
        reserved: [0; 7],
    };
    if !maps::remember_fragment(key(context, packet), &verdict) {
        context.note(Note::FlowNotStored);
    }
}
