//! Finds a packet's flow, and determines how far its entry is up to date.

use hep_common::{conntrack::Conn, settings::FLAG_REVALIDATE, tick::Tick};

use crate::{
    address::Address,
    context::{PacketContext, opposite},
    ip::Ip,
    maps::Flow,
    parse::Packet,
    scratch::{Scratch, Searched},
};

/// The key of a packet's flow, and which end sent it: 0 for `a`, 1 for `b`.
#[inline(always)]
pub(super) fn key<A: Address>(packet: &Packet<A>) -> (A::Key, usize) {
    A::key(
        packet.protocol,
        (packet.src, packet.src_port),
        (packet.dst, packet.dst_port),
    )
}

/// One of a pair.
#[inline(always)]
pub(super) fn pick<T: Copy>(pair: [T; 2], index: usize) -> T {
    let [first, second] = pair;
    if index == 0 { first } else { second }
}

/// The hook whose approval a packet of `sender` needs: its own for the opener's packets, the other
/// one for replies.
#[inline(always)]
pub(super) fn approving_hook(context: &PacketContext<'_>, conn: &Conn, sender: usize) -> usize {
    let direction = if sender == conn.opener() {
        context.direction
    } else {
        opposite(context.direction)
    };
    direction as usize
}

/// Which table a flow is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// That of assured flows.
    Assured,
    /// That of the others.
    Unassured,
}

/// The flow that a packet belongs to.
pub(super) struct Known {
    /// The end that sent the packet.
    pub(super) sender: usize,
    /// Its entry.
    pub(super) flow: Flow,
    /// Where that is.
    pub(super) home: Home,
}

/// The flow with the key at hand, unless it was idle for too long (spec EV-154).
#[inline(always)]
pub(super) fn find<A: Ip>(
    context: &PacketContext<'_>,
    scratch: &Scratch<A>,
) -> Option<(Flow, Home)> {
    let timeouts = &context.settings()?.timeouts;
    let now = Tick::at(context.now_ns);
    let is_expired = |flow: Flow| flow.copied().is_expired(now, timeouts);
    if scratch.missed == Searched::Everywhere {
        return None;
    }
    if scratch.missed == Searched::Nowhere
        && let Some(flow) = A::assured(&scratch.key)
    {
        if !is_expired(flow) {
            return Some((flow, Home::Assured));
        }
        // Or it would come before the flow that takes its place.
        A::remove_assured(&scratch.key);
    }
    A::unassured(&scratch.key)
        .filter(|flow| !is_expired(*flow))
        .map(|flow| (flow, Home::Unassured))
}

/// Whether an approval is of the generation in force, or may be of an older one.
#[inline(always)]
pub(super) fn is_latest(context: &PacketContext<'_>, generation: u32) -> bool {
    generation == context.generation || !context.has(FLAG_REVALIDATE)
}

/// Whether an approval is of the rules in force, or may be of older ones.
#[inline(always)]
pub(super) fn is_current(context: &PacketContext<'_>, generation: u32) -> bool {
    is_latest(context, generation)
        || context
            .settings()
            .is_some_and(|settings| settings.is_same(context.generation, generation))
}

/// Whether a flow's classification as local or forwarded, for one hook's approval, is up to date (spec
/// EV-259).
#[inline(always)]
pub(super) fn is_classified(context: &PacketContext<'_>, conn: &Conn, hook: usize) -> bool {
    pick(conn.classified, hook) == context.classification()
}
