//! Evaluation of a list.

use hep_common::{
    counter::Reason,
    endpoint::ListNumber,
    rule::{DIMENSIONS, Dimension},
};

use super::{
    answer::{Answer, FAULT, LONG},
    class::Classed,
    executor::Executor,
    service, short,
    walk::{self, RARE},
};
use crate::{
    helpers,
    maps::{Policy, Slot},
    parse::Packet,
    scratch::Trace,
};

/// Finds the rule of list `number` that decides about `packet`; it goes into `trace`.
///
/// Rules that match are counted with `count_bytes`, unless that is 0: then nothing is counted, and no
/// `Log` rule is noted.
#[inline(always)]
pub(crate) fn classify<A: Judged>(
    slot: Slot,
    number: ListNumber,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
) -> Answer {
    classify_from(slot, number, packet, trace, count_bytes, 0)
}

/// Finds the rule of list `number`, from rule `from` on, that decides about `packet`.
#[inline(always)]
pub(crate) fn classify_from<A: Judged>(
    slot: Slot,
    number: ListNumber,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
    from: u32,
) -> Answer {
    trace.list = number.into();
    let found = A::ask(slot, packet, trace, count_bytes, from);
    to_end(found, slot, trace, count_bytes, from)
}

/// Evaluates the list that `trace` already has, inlined: its one caller handles too many packets for another
/// function call.
#[inline(always)]
pub(crate) fn classify_here<A: Judged>(
    slot: Slot,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
) -> Answer {
    let found = ask(slot, packet, trace, count_bytes, 0);
    to_end(found, slot, trace, count_bytes, 0)
}

/// Completes what [`ask`] has `found`: a long list is walked.
#[inline(always)]
fn to_end(found: u32, slot: Slot, trace: &mut Trace, count_bytes: u32, from: u32) -> Answer {
    Answer::of(match found {
        LONG => walk::walk(slot, trace, count_bytes, from),
        _ => found,
    })
}

/// Addresses in packets of which lists are evaluated.
pub(crate) trait Judged: Classed {
    /// Evaluates the list in `trace` from rule `from` on, by the global function of this family: the kernel
    /// verifies that once, not at every call.
    fn ask(
        slot: Slot,
        packet: &Packet<Self>,
        trace: &mut Trace,
        count_bytes: u32,
        from: u32,
    ) -> u32;
}

/// Declares the global form of [`ask`] for one family.
macro_rules! global {
    ($global:ident, $address:ty) => {
        impl Judged for $address {
            #[inline(always)]
            fn ask(
                slot: Slot,
                packet: &Packet<Self>,
                trace: &mut Trace,
                count_bytes: u32,
                from: u32,
            ) -> u32 {
                $global(slot.number(), packet, trace, count_bytes, from)
            }
        }

        #[expect(unsafe_code, reason = "an exported symbol makes a function global")]
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $global(
            slot: u32,
            packet: *const Packet<$address>,
            trace: *mut Trace,
            count_bytes: u32,
            from: u32,
        ) -> u32 {
            // SAFETY: the kernel knows no other caller than the function above, which hands on
            // references and waits.
            match unsafe { (helpers::handed(packet), helpers::handed_mut(trace)) } {
                (Some(packet), Some(trace)) => {
                    ask(Slot::of(slot), packet, trace, count_bytes, from)
                }
                _ => Reason::Internal as u32,
            }
        }
    };
}

global!(hep_ask4, [u8; 4]);
global!(hep_ask6, [u8; 16]);

/// Evaluates the list in `trace` from rule `from` on; returns the number of a [`Reason`], `CONTINUE`, or
/// [`LONG`].
#[inline(always)]
fn ask<A: Classed>(
    slot: Slot,
    packet: &Packet<A>,
    trace: &mut Trace,
    count_bytes: u32,
    from: u32,
) -> u32 {
    let Some((policy, near)) = Policy::find(slot, trace.list) else {
        return Reason::Internal as u32;
    };
    if find_rows(slot, &policy, packet, &mut trace.rows).is_none() {
        return Reason::Internal as u32;
    }
    if !policy.list().is_short() {
        return LONG;
    }
    match short::row(&policy, near, &trace.rows) {
        Some(row) => {
            let executor = Executor::new(trace, count_bytes, from);
            short::walk(executor, policy, near, slot, row)
        }
        None => Reason::Internal as u32,
    }
}

/// Finds the positions of the packet's classes in the index, in each dimension that the list distinguishes.
#[inline(always)]
fn find_rows<A: Classed>(
    slot: Slot,
    policy: &Policy,
    packet: &Packet<A>,
    rows: &mut [u32; DIMENSIONS],
) -> Option<()> {
    let [
        source,
        destination,
        service,
        source_port,
        source_named,
        destination_named,
    ] = rows;
    let place = |row: &mut u32, dimension: Dimension, class: Option<u32>| {
        // To read it once more is cheaper than to save all of it before every look-up.
        let list = policy.list();
        let start = list.rows.get(dimension as usize)?;
        *row = start.wrapping_add(class?.wrapping_mul(list.chunks));
        Some(())
    };
    let used = |dimension: Dimension| policy.list().dimensions & dimension.bit() != 0;
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
    if policy.list().dimensions & RARE != 0 {
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
    Some(())
}
