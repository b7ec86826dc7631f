//! Which rule of a list decides about a packet.

mod address;
mod service;
mod walk;

use hep_common::{
    counter::Reason,
    rule::{Action, Dimension, List},
};

pub(crate) use address::{class4, class6};

use crate::{
    address::Address,
    helpers,
    maps::{self, Slot},
    parse::Packet,
    scene::Trace,
};
use walk::Walk;

/// In place of a class: the tables contradict each other.
pub(crate) const FAULT: u32 = u32::MAX;

/// What a list says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A verdict.
    Verdict(Reason),
    /// No verdict: on to the next stage.
    Continue,
}

/// In place of a reason: [`Answer::Continue`].
const CONTINUE: u32 = 0xff;

impl Answer {
    /// From what [`ask`] returns.
    #[inline(always)]
    fn of(number: u32) -> Self {
        // The compiler may know what the function returns; the kernel does not.
        let number = helpers::opaque(number as usize);
        if number == CONTINUE as usize {
            return Self::Continue;
        }
        let reason = u8::try_from(number)
            .ok()
            .and_then(|number| Reason::try_from(number).ok());
        Self::Verdict(reason.unwrap_or(Reason::Internal))
    }
}

/// Finds the rule of list `number` that decides about `packet`; it goes into `trace`.
///
/// Rules that match are counted with `count_bytes`, unless that is 0: then nothing is counted, and no
/// `Log` rule is noted.
#[inline(always)]
pub(crate) fn classify<A: Address>(
    slot: Slot,
    number: u32,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
) -> Answer {
    trace.list = number;
    Answer::of(A::ask(slot, packet, trace, count_bytes))
}

/// Declares the form of [`ask`] for one family that is global, so that the kernel verifies it once
/// and not at every call.
macro_rules! global {
    ($ask:ident, $global:ident, $address:ty) => {
        /// As [`ask`].
        #[inline(always)]
        pub(crate) fn $ask(
            slot: Slot,
            packet: &Packet<$address>,
            trace: &mut Trace,
            count_bytes: u32,
        ) -> u32 {
            $global(slot.number(), packet, trace, count_bytes)
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $global(
            slot: u32,
            packet: *const Packet<$address>,
            trace: *mut Trace,
            count_bytes: u32,
        ) -> u32 {
            // SAFETY: both pointers come from references, in the one call above; that they are not
            // null is asked here because the kernel does not know.
            match unsafe { (packet.as_ref(), trace.as_mut()) } {
                (Some(packet), Some(trace)) => ask(Slot::of(slot), packet, trace, count_bytes),
                _ => Reason::Internal as u32,
            }
        }
    };
}

global!(ask4, hep_ask4, [u8; 4]);
global!(ask6, hep_ask6, [u8; 16]);

/// As [`classify`]; returns the number of a [`Reason`], or [`CONTINUE`].
#[inline(always)]
fn ask<A: Address>(slot: Slot, packet: &Packet<A>, trace: &mut Trace, count_bytes: u32) -> u32 {
    let Some(list) = maps::lists(slot).and_then(|lists| lists.get(trace.list)) else {
        return Reason::Internal as u32;
    };
    let Some(classes) = classes(slot, list, packet) else {
        return Reason::Internal as u32;
    };
    let mut walk = Walk {
        list,
        trace,
        classes,
        slot,
        from: 0,
        count_bytes,
        answer: Reason::Internal as u32,
    };
    walk.run();
    walk.answer
}

/// The packet's class in each dimension that the list distinguishes; 0 in the others.
#[inline(always)]
fn classes<A: Address>(
    slot: Slot,
    list: &List,
    packet: &Packet<A>,
) -> Option<[u32; hep_common::rule::DIMENSIONS]> {
    let used = |dimension: Dimension| list.dimensions & dimension.bit() != 0;
    let mut classes = [0; hep_common::rule::DIMENSIONS];
    let [
        source,
        destination,
        service,
        source_port,
        source_named,
        destination_named,
    ] = &mut classes;
    if used(Dimension::Source) {
        *source = packet.src.class(slot);
    }
    if used(Dimension::Destination) {
        *destination = packet.dst.class(slot);
    }
    if used(Dimension::Service) {
        *service = service::service(slot, packet)?;
    }
    if used(Dimension::SourcePort) {
        *source_port = service::source_port(slot, packet)?;
    }
    if used(Dimension::SourceNamedPort) {
        *source_named = service::named_port(slot, &packet.src, packet.src_port, packet.protocol);
    }
    if used(Dimension::DestinationNamedPort) {
        *destination_named =
            service::named_port(slot, &packet.dst, packet.dst_port, packet.protocol);
    }
    if *source == FAULT
        || *destination == FAULT
        || *source_named == FAULT
        || *destination_named == FAULT
    {
        return None;
    }
    Some(classes)
}

/// What a rule that ends a walk answers.
#[inline(always)]
fn answer(action: Action, reason: u8) -> u32 {
    match action {
        Action::Allow | Action::Deny => u32::from(reason),
        Action::Continue => CONTINUE,
        Action::Pass | Action::Log | Action::Staged => Reason::Internal as u32,
    }
}
