//! Which rule of a list decides about a packet.

mod address;
mod service;
mod walk;

use hep_common::{
    counter::Reason,
    rule::{Action, DIMENSIONS, Dimension, List},
};

pub(crate) use address::{class4, class6};

use crate::{
    address::Address,
    helpers,
    maps::{self, Slot},
    parse::Packet,
    scene::Trace,
};
use walk::{RARE, Walk};

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

/// As [`classify`], in place: for the one caller whose packets are too many for one more call.
#[inline(always)]
pub(crate) fn classify_here<A: Address>(
    slot: Slot,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
) -> Answer {
    Answer::of(ask(slot, packet, trace, count_bytes))
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
            match (helpers::handed(packet), helpers::handed_mut(trace)) {
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
    let Some(rows) = rows(slot, list, packet) else {
        return Reason::Internal as u32;
    };
    let mut walk = Walk {
        list,
        trace,
        rows,
        slot,
        from: 0,
        count_bytes,
        answer: Reason::Internal as u32,
    };
    walk.run();
    walk.answer
}

/// Where the rows of the packet's classes stand in the `INDEX` table, in each dimension that the list
/// distinguishes; 0 in the others.
#[inline(always)]
fn rows<A: Address>(slot: Slot, list: &List, packet: &Packet<A>) -> Option<[u32; DIMENSIONS]> {
    let mut rows = [0; DIMENSIONS];
    let [
        source,
        destination,
        service,
        source_port,
        source_named,
        destination_named,
    ] = &mut rows;
    let place = |row: &mut u32, dimension: Dimension, class: Option<u32>| {
        let start = list.rows.get(dimension as usize)?;
        *row = start.wrapping_add(class?.wrapping_mul(list.chunks));
        Some(())
    };
    let used = |dimension: Dimension| list.dimensions & dimension.bit() != 0;
    let known = |class: u32| (class != FAULT).then_some(class);
    if used(Dimension::Source) {
        place(source, Dimension::Source, known(packet.src.class(slot)))?;
    }
    if used(Dimension::Destination) {
        let class = known(packet.dst.class(slot));
        place(destination, Dimension::Destination, class)?;
    }
    if used(Dimension::Service) {
        place(service, Dimension::Service, service::service(slot, packet))?;
    }
    if list.dimensions & RARE != 0 {
        if used(Dimension::SourcePort) {
            let class = service::source_port(slot, packet);
            place(source_port, Dimension::SourcePort, class)?;
        }
        let named =
            |address: &A, port| known(service::named_port(slot, address, port, packet.protocol));
        if used(Dimension::SourceNamedPort) {
            let class = named(&packet.src, packet.src_port);
            place(source_named, Dimension::SourceNamedPort, class)?;
        }
        if used(Dimension::DestinationNamedPort) {
            let class = named(&packet.dst, packet.dst_port);
            place(destination_named, Dimension::DestinationNamedPort, class)?;
        }
    }
    Some(rows)
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
