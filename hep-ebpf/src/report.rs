//! Records of packets that `Log` rules matched, or that were denied (spec EV-135).

use hep_common::{
    Direction,
    counter::{Note, Reason},
    event::Event,
    protocol,
    settings::FLAG_DENY_EVENTS,
};

use crate::{
    address::Address,
    maps,
    parse::Packet,
    scene::{Route, Scene, Trace},
};

/// Marks the budget of a reason, for denials that no rule decided, among those of rules.
const REASON_BUDGET: u32 = 1 << 31;

/// Whether somebody wants a record of the packet.
#[inline(always)]
pub(crate) fn is_due(scene: &Scene<'_>, trace: &Trace, reason: Reason) -> bool {
    trace.logged_count != 0 || (!reason.allows() && scene.has(FLAG_DENY_EVENTS))
}

/// Puts a record on the event ring, if the budgets allow.
#[inline(always)]
pub(crate) fn report<A: Address>(
    scene: &Scene<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
    reason: Reason,
) {
    if !record(scene, packet, trace, reason) {
        scene.note(Note::EventLost);
    }
}

/// Takes tokens from the budgets of the rules that ask for the record; those without one are taken
/// off it. Whether any is left.
#[inline(always)]
fn is_affordable(scene: &Scene<'_>, trace: &mut Trace, reason: Reason) -> bool {
    let Some(settings) = scene.settings() else {
        return false;
    };
    let take = |slot: u32| {
        maps::take_token(
            slot,
            scene.now_ns,
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
    if !affordable && !reason.allows() && scene.has(FLAG_DENY_EVENTS) {
        let budget = match trace.slot {
            0 => REASON_BUDGET | reason as u32,
            slot => slot,
        };
        affordable = take(budget);
    }
    affordable
}

/// As [`report`]; whether the record is on the ring.
#[inline(never)]
fn record<A: Address>(
    scene: &Scene<'_>,
    packet: &Packet<A>,
    trace: &mut Trace,
    reason: Reason,
) -> bool {
    if !is_affordable(scene, trace, reason) {
        return false;
    }
    let (src_port, dst_port) = match packet.protocol {
        protocol::ICMP | protocol::ICMPV6 => (0, 0),
        _ => (packet.src_port, packet.dst_port),
    };
    maps::submit(Event {
        time_ns: scene.now_ns,
        src: packet.src.mapped(),
        dst: packet.dst.mapped(),
        ifindex: scene.interface.ifindex,
        frame_bytes: scene.bytes(),
        generation: scene.generation,
        slot: trace.slot,
        logged: trace.logged,
        logged_count: trace.logged_count,
        src_port,
        dst_port,
        protocol: packet.protocol,
        icmp_type: packet.icmp_type,
        icmp_code: packet.icmp_code,
        reason: reason as u8,
        direction: match scene.direction {
            Direction::Ingress => Direction::Ingress as u8,
            Direction::Egress => Direction::Egress as u8,
        },
        forwarded: u8::from(trace.route == Route::Forwarded),
        family: A::FAMILY as u8,
        reserved: [0; 9],
    })
}
