//! Records of packets that `Log` rules matched, or that were denied (spec EV-135).

use hep_common::{
    Direction,
    counter::{Note, Reason},
    endpoint::Interface,
    event::Event,
    protocol,
    settings::FLAG_DENY_EVENTS,
};

use crate::{
    address::Address,
    context::PacketContext,
    frame::Frame,
    maps::{self, Slot},
    parse::Packet,
    scratch::{Route, Trace},
};

/// Where and when a packet was judged.
pub(crate) struct Place {
    pub(crate) interface: &'static Interface,
    pub(crate) generation: u32,
    /// Coarse monotonic clock, nanoseconds.
    pub(crate) now_ns: u64,
    pub(crate) frame_bytes: u32,
    pub(crate) direction: Direction,
    /// The kernel had translated it by then (spec EV-260).
    pub(crate) is_translated: bool,
}

impl Place {
    /// At a TC hook.
    #[inline(always)]
    fn of(context: &PacketContext<'_, impl Frame>) -> Self {
        Self {
            interface: context.interface,
            generation: context.generation,
            now_ns: context.now_ns,
            frame_bytes: context.bytes(),
            direction: context.direction,
            is_translated: false,
        }
    }

    #[inline(always)]
    fn reports_denials(&self) -> bool {
        self.interface.behaviour & FLAG_DENY_EVENTS != 0
    }
}

/// Marks the budget of a reason, for denials that no rule decided, among those of rules.
const REASON_BUDGET: u32 = 1 << 31;

/// Whether a record of the packet is due: a `Log` rule matched, or it is denied and denials are reported.
#[inline(always)]
pub(crate) fn is_due(
    context: &PacketContext<'_, impl Frame>,
    trace: &Trace,
    reason: Reason,
) -> bool {
    trace.logged_count != 0 || (!reason.allows() && context.has(FLAG_DENY_EVENTS))
}

/// Puts a record on the event ring, if the budgets allow.
#[inline(always)]
pub(crate) fn report<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    packet: &Packet<A>,
    trace: &mut Trace,
    reason: Reason,
) {
    report_at(&Place::of(context), packet, trace, reason);
}

/// Puts a record of a packet judged at `place` on the event ring, if the budgets allow.
#[inline(always)]
pub(crate) fn report_at<A: Address>(
    place: &Place,
    packet: &Packet<A>,
    trace: &mut Trace,
    reason: Reason,
) {
    if !record(place, packet, trace, reason) {
        let counters = place.interface.counters;
        maps::note(
            counters.wrapping_add(place.direction as u32),
            Note::EventLost,
            u64::from(place.frame_bytes),
        );
    }
}

/// Takes a token from the budget of each rule that asks for the record; rules without one are removed from
/// it. Returns whether anything still asks for it.
#[inline(always)]
fn is_affordable(place: &Place, trace: &mut Trace, reason: Reason) -> bool {
    let Some(settings) = maps::settings(Slot::of(place.generation)) else {
        return false;
    };
    let take = |slot: u32| {
        maps::take_token(
            slot,
            place.now_ns,
            settings.log_rate,
            settings.log_period_s,
            settings.log_burst,
        )
    };
    let mut affordable = false;
    for (position, logged) in (0..).zip(&mut trace.logged) {
        if position < trace.logged_count && take(*logged) {
            affordable = true;
        } else {
            *logged = 0;
        }
    }
    if !affordable && !reason.allows() && place.reports_denials() {
        let budget = match trace.slot {
            0 => REASON_BUDGET | reason as u32,
            slot => slot,
        };
        affordable = take(budget);
    }
    affordable
}

/// Puts a record on the event ring; returns whether it is there.
#[inline(never)]
fn record<A: Address>(
    place: &Place,
    packet: &Packet<A>,
    trace: &mut Trace,
    reason: Reason,
) -> bool {
    if !is_affordable(place, trace, reason) {
        return false;
    }
    let (src_port, dst_port) = match packet.protocol {
        protocol::ICMP | protocol::ICMPV6 => (0, 0),
        _ => (packet.src_port, packet.dst_port),
    };
    maps::submit(Event {
        time_ns: place.now_ns,
        src: packet.src.mapped(),
        dst: packet.dst.mapped(),
        ifindex: place.interface.ifindex,
        frame_bytes: place.frame_bytes,
        generation: place.generation,
        slot: trace.slot,
        logged: trace.logged,
        logged_count: trace.logged_count,
        src_port,
        dst_port,
        protocol: packet.protocol,
        icmp_type: packet.icmp_type,
        icmp_code: packet.icmp_code,
        reason: reason as u8,
        direction: match place.direction {
            Direction::Ingress => Direction::Ingress as u8,
            Direction::Egress => Direction::Egress as u8,
        },
        forwarded: u8::from(trace.route == Route::Forwarded),
        family: A::FAMILY as u8,
        translated: u8::from(place.is_translated),
        reserved: [0; 8],
    })
}
