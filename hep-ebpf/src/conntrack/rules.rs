//! The rules about the first packet of a flow.

use hep_common::{counter::Reason, endpoint::ListNumber};

use crate::{
    classify::{Answer, classify},
    context::PacketContext,
    ip::Ip,
    parse::Packet,
    route,
    scratch::{Scratch, Trace},
};

/// The list that judges a packet as the first of a flow.
#[inline(always)]
pub(super) fn list<A: Ip>(
    context: &PacketContext<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
) -> ListNumber {
    let lists = context.lists::<A>();
    if route::is_forwarded(context, packet, trace) {
        lists.forward
    } else {
        lists.local
    }
}

/// Verdict of the rules about the packet as the first of a flow.
#[inline(always)]
pub(super) fn by_rules<A: Ip>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Reason {
    let Scratch { packet, trace, .. } = scratch;
    let list = list(context, packet, trace);
    match classify(context.slot, list, packet, trace, context.bytes()) {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    }
}
