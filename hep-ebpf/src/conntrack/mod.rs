//! The connection table (spec section 12.2).

mod fresh;
mod icmp;
mod known;
mod midstream;
mod related;
mod revalidate;
mod sctp;
mod socket;

use core::hint::cold_path;

use hep_common::{
    conntrack::{
        ANY_INTERFACE, Conn, FLAG_OPENED_BY_A, JUDGED_FORWARD, SETTLED_BITS, flags_in,
        only_continues, settled,
    },
    counter::Reason,
    endpoint::ListNumber,
    protocol,
    settings::FLAG_REVALIDATE,
    tick::Tick,
};

pub(crate) use fresh::{Keep, Opening, Taken, judge as open, store, take};
pub(crate) use midstream::judge as midstream;
pub(crate) use related::{is_error, is_for_rules, related};
pub(crate) use revalidate::{reclassify, revalidate};

use crate::{
    address::Address,
    classify::{Answer, classify},
    context::{PacketContext, Scratch, Trace, opposite},
    helpers,
    maps::{self, Flow},
    parse::{Packet, Plain, tcp},
    route,
};

/// The key of a packet's flow, and which end sent it: 0 for `a`, 1 for `b`.
#[inline(always)]
fn key<A: Address>(packet: &Packet<A>) -> (A::Key, usize) {
    A::key(
        packet.protocol,
        (packet.src, packet.src_port),
        (packet.dst, packet.dst_port),
    )
}

/// One of a pair.
#[inline(always)]
fn pick<T: Copy>(pair: [T; 2], index: usize) -> T {
    let [first, second] = pair;
    if index == 0 { first } else { second }
}

/// The hook whose approval a packet of `sender` needs: its own for the opener's packets, the other
/// one for replies.
#[inline(always)]
fn approving_hook(context: &PacketContext<'_>, conn: &Conn, sender: usize) -> usize {
    let direction = if sender == conn.opener() {
        context.direction
    } else {
        opposite(context.direction)
    };
    direction as usize
}

/// Whether a packet opens a TCP connection. The rules judge it even if its flow is known (spec EV-153).
#[inline(always)]
pub(crate) const fn is_opening(protocol: u8, tcp_flags: u8) -> bool {
    protocol == protocol::TCP && tcp_flags & tcp::STATE == tcp::SYN
}

/// Whether an approval is of the generation in force, or may be of an older one.
#[inline(always)]
fn is_latest(context: &PacketContext<'_>, generation: u32) -> bool {
    generation == context.generation || !context.has(FLAG_REVALIDATE)
}

/// Whether an approval is of the rules in force, or may be of older ones.
#[inline(always)]
fn is_current(context: &PacketContext<'_>, generation: u32) -> bool {
    is_latest(context, generation)
        || context
            .settings()
            .is_some_and(|settings| settings.is_same(context.generation, generation))
}

/// Whether a flow's classification as local or forwarded, for one hook's approval, is up to date (spec
/// EV-259).
#[inline(always)]
fn is_classified(context: &PacketContext<'_>, conn: &Conn, hook: usize) -> bool {
    pick(conn.classified, hook) == context.classification()
}

/// Result of the fast path's flow look-up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FastPath {
    /// It only continues a flow, of which nothing but counters, timer and TCP sequence number change; they
    /// have been updated.
    Continues,
    /// Its flow is not in these tables.
    Missing(Searched),
    /// Undecided: anything out of the ordinary is for [`track`].
    Unclear,
}

/// Tables that are known not to hold a packet's flow; in [`Scratch::missed`] as a number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Searched {
    /// None: it may be anywhere.
    Nowhere = 0,
    /// That of assured flows.
    Assured = 1,
    /// All: there is no flow.
    Everywhere = 2,
}

/// Whether a packet may be one that only continues a flow: TCP with no flag of state but ACK, or UDP.
#[inline(always)]
pub(crate) fn may_continue<A>(packet: &Plain<A>) -> bool {
    packet.protocol != protocol::TCP || packet.ports.tcp_flags & tcp::STATE == tcp::ACK
}

/// Looks a flow up: TCP only among the assured ones; others first in the table where the last flow of the
/// same place was found, since each further look-up touches more memory.
///
/// # Errors
///
/// The tables that do not hold it.
#[inline(always)]
fn search<A: Address>(key: &A::Key, protocol: u8) -> Result<(Flow, Home), Searched> {
    if protocol == protocol::TCP {
        let flow = A::assured(key).ok_or(Searched::Assured)?;
        return Ok((flow, Home::Assured));
    }
    let place = A::place(key);
    let was_assured = maps::was_assured(place);
    if was_assured && let Some(flow) = A::assured(key) {
        return Ok((flow, Home::Assured));
    }
    if let Some(flow) = A::unassured(key) {
        if was_assured {
            maps::set_assured(place, false);
        }
        return Ok((flow, Home::Unassured));
    }
    if !was_assured && let Some(flow) = A::assured(key) {
        maps::set_assured(place, true);
        return Ok((flow, Home::Assured));
    }
    Err(Searched::Everywhere)
}

/// Looks up the flow of a packet that [`may_continue`] one, among the assured flows and, for a datagram,
/// among the others; updates it if nothing is out of the ordinary.
#[inline(always)]
pub(crate) fn fast_path<A: Address>(
    context: &mut PacketContext<'_>,
    packet: &Plain<A>,
) -> FastPath {
    let Plain {
        ports, protocol, ..
    } = *packet;
    let (key, sender) = A::key(protocol, (packet.src, ports.src), (packet.dst, ports.dst));
    let (flow, home) = match search::<A>(&key, protocol) {
        Ok(found) => found,
        Err(searched) => return FastPath::Missing(searched),
    };
    context.now_ns = helpers::now_ns();
    let (head, now) = (flow.head(), Tick::at(context.now_ns));
    let answers = sender ^ usize::from(flags_in(head) & FLAG_OPENED_BY_A ^ 1);
    let hook = context.direction as usize ^ answers;
    let ifindex = flow.ifindex(hook);
    let approved = (ifindex == context.interface.ifindex || answers != 0)
        && ifindex != 0
        && ifindex != ANY_INTERFACE;
    let [udp, tcp] = context.interface.surely_alive;
    let (settled, surely_alive) = if protocol == protocol::TCP {
        (const { settled(protocol::TCP) }, tcp)
    } else {
        (const { settled(protocol::UDP) }, udp)
    };
    let goes_on = match home {
        Home::Assured => head & SETTLED_BITS == settled,
        Home::Unassured => only_continues(head, sender, now),
    };
    if !goes_on
        || !approved
        || !is_latest(context, flow.generation())
        || flow.classified(hook) != context.classification()
        || now.count_since(flow.last_seen()) > surely_alive
    {
        cold_path();
        return FastPath::Unclear;
    }
    if protocol == protocol::TCP {
        let segment = ports.segment;
        flow.number(sender, segment.sequence.wrapping_add(segment.payload));
    }
    flow.touch(sender, now, context.bytes());
    FastPath::Continues
}

/// The step that a packet needs before there is a verdict.
pub(crate) enum Todo {
    /// Its flow must be judged by the rules in force first, by [`revalidate`].
    Revalidate,
    /// It is the first of a flow, for [`open`].
    Open,
    /// It is the first of a flow that replaces an assured one, for [`open`].
    Replace,
    /// It is a TCP segment that belongs to no known flow and opens none, for [`midstream`].
    Midstream,
    /// It is a TCP segment of a known flow that is not approved at this kind of hook, for [`midstream`].
    Approve,
}

/// Judges a packet by its flow.
///
/// # Errors
///
/// [`Todo`] if there is no flow, or another step must come first.
#[inline(always)]
pub(crate) fn track<A: Address>(
    context: &PacketContext<'_>,
    scratch: &mut Scratch<A>,
) -> Result<Reason, Todo> {
    let (key, sender) = key(&scratch.packet);
    scratch.key = key;
    let Some((flow, home)) = find(context, scratch) else {
        // Packets that open a connection do not come here.
        return Err(if scratch.packet.protocol == protocol::TCP {
            Todo::Midstream
        } else {
            Todo::Open
        });
    };
    let known = Known { sender, flow, home };
    match known::judge(context, scratch, &known) {
        Ok(Some(reason)) => Ok(reason),
        Ok(None) => Err(match home {
            Home::Assured => Todo::Replace,
            Home::Unassured => Todo::Open,
        }),
        Err(todo) => Err(todo),
    }
}

/// Whether TC has just admitted a packet at an interface as this host's own, or as an answer to what this
/// host opened from an address that is not its own.
#[inline(always)]
pub(crate) fn is_settled_at_ingress<A: Address>(packet: &Packet<A>, ifindex: u32) -> bool {
    let (key, sender) = key(packet);
    let Some(flow) = A::assured(&key).or_else(|| A::unassured(&key)) else {
        return false;
    };
    let conn = flow.copied();
    let [ingress, _] = conn.ifindexes;
    if sender == conn.opener() {
        ingress == ifindex && conn.judged & JUDGED_FORWARD == 0
    } else {
        ingress == 0
    }
}

/// Which table a flow is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    /// That of assured flows.
    Assured,
    /// That of the others.
    Unassured,
}

/// The flow that a packet belongs to.
struct Known {
    /// The end that sent the packet.
    sender: usize,
    flow: Flow,
    home: Home,
}

/// The flow with the key at hand, unless it was idle for too long (spec EV-154).
#[inline(always)]
fn find<A: Address>(context: &PacketContext<'_>, scratch: &Scratch<A>) -> Option<(Flow, Home)> {
    let timeouts = &context.settings()?.timeouts;
    let now = Tick::at(context.now_ns);
    let is_expired = |flow: Flow| flow.copied().is_expired(now, timeouts);
    if scratch.missed == Searched::Everywhere as u32 {
        return None;
    }
    if scratch.missed == Searched::Nowhere as u32
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

/// The list that judges a packet as the first of a flow.
#[inline(always)]
pub(crate) fn list<A: Address>(
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
fn by_rules<A: Address>(context: &PacketContext<'_>, scratch: &mut Scratch<A>) -> Reason {
    let Scratch { packet, trace, .. } = scratch;
    let list = list(context, packet, trace);
    match classify(context.slot, list, packet, trace, context.bytes()) {
        Answer::Verdict(reason) => reason,
        Answer::Continue => Reason::Internal,
    }
}
