//! The fast path of flows: packets that change nothing but counters, timer and TCP sequence number.

use core::hint::cold_path;

use hep_common::{
    conntrack::{
        ANY_INTERFACE, FLAG_OPENED_BY_A, SETTLED_BITS, classification, flags_in, only_continues,
        settled,
    },
    protocol,
};

use super::lookup::{Home, is_latest};
use crate::{
    clock,
    context::PacketContext,
    ip::Ip,
    maps::{self, Flow},
    parse::Plain,
    scratch::Searched,
};

/// Result of the fast path's flow look-up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FastPath {
    /// It only continues a flow, of which nothing but counters, timer and TCP sequence number change; they
    /// have been updated.
    Continues,
    /// Its flow is not in these tables.
    Missing(Searched),
    /// Undecided: anything out of the ordinary is for `track`.
    Unclear,
}

/// Looks a flow up: TCP only among the assured ones; others first in the table where the last flow of the
/// same place was found, since each further look-up touches more memory.
///
/// # Errors
///
/// The tables that do not hold it.
#[inline(always)]
fn search<A: Ip>(key: &A::Key, protocol: u8) -> Result<(Flow, Home), Searched> {
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

/// Looks up the flow of a packet that `may_continue` one, among the assured flows and, for a datagram,
/// among the others; updates it if nothing is out of the ordinary.
#[inline(always)]
pub(crate) fn fast_path<A: Ip>(context: &PacketContext<'_>, packet: &Plain<A>) -> FastPath {
    let Plain {
        ports, protocol, ..
    } = *packet;
    let (key, sender) = A::key(protocol, (packet.src, ports.src), (packet.dst, ports.dst));
    let (flow, home) = match search::<A>(&key, protocol) {
        Ok(found) => found,
        Err(searched) => return FastPath::Missing(searched),
    };
    let (head, now) = (flow.head(), clock::tick());
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
        || flow.classified(hook) != classification(context.changes, now)
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
