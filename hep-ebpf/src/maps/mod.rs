//! Every map, private, behind small safe functions.

mod count;
mod events;
mod flows;
mod tables;

pub(crate) use count::{count, count_rule, note};
pub(crate) use tables::{Slot, control, settings};

/// Looks into every map.
#[inline(always)]
pub(crate) fn touch(ctx: &aya_ebpf::programs::TcContext, direction: hep_common::Direction) {
    use hep_common::{conntrack::*, counter::*, event::*, fragment::*, local::*, named_port::*};
    let Some(control) = control() else { return };
    let slot = Slot::of(control.generation);
    let i = ctx.len();
    let mut ok = false;
    ok |= core::hint::black_box(settings(slot).is_some());
    ok |= core::hint::black_box(tables::interface(slot, i).is_some());
    ok |= core::hint::black_box(tables::list(slot, i).is_some());
    ok |= core::hint::black_box(tables::rule(slot, i).is_some());
    ok |= core::hint::black_box(tables::index(slot, i).is_some());
    ok |= core::hint::black_box(tables::row(slot, i).is_some());
    ok |= core::hint::black_box(tables::root4(slot, i).is_some());
    ok |= core::hint::black_box(tables::ranges4(slot, i).is_some());
    ok |= core::hint::black_box(tables::root6(slot, i).is_some());
    ok |= core::hint::black_box(tables::ranges6_top(slot, i).is_some());
    ok |= core::hint::black_box(tables::ranges6_mid(slot, i).is_some());
    ok |= core::hint::black_box(tables::ranges6_low(slot, i).is_some());
    ok |= core::hint::black_box(tables::destination_ports(slot, i).is_some());
    ok |= core::hint::black_box(tables::source_ports(slot, i).is_some());
    ok |= core::hint::black_box(tables::named_port(slot, &NamedPortKey::default()).is_some());
    ok |= core::hint::black_box(tables::is_own_address(&LocalAddress::default()));
    ok |= core::hint::black_box(flows::CONNS4.get_ptr(ConnKey4::default()).is_some());
    ok |= core::hint::black_box(flows::CONNS6.get_ptr(ConnKey6::default()).is_some());
    ok |= core::hint::black_box(flows::HALF4.get_ptr(ConnKey4::default()).is_some());
    ok |= core::hint::black_box(flows::HALF6.get_ptr(ConnKey6::default()).is_some());
    ok |= core::hint::black_box(flows::FRAGMENTS.get_ptr(FragmentKey::default()).is_some());
    ok |= core::hint::black_box(events::LOG_BUDGETS.get_ptr(i).is_some());
    if events::RECORD_DECISIONS.load() != 0 {
        let _ignored = events::DECISION.set(0, hep_common::decision::Decision::default(), 0);
    }
    if ok {
        count(direction as u32, Reason::Unpoliced, i.into());
        note(direction as u32, Note::EventLost, i.into());
        count_rule(i, 1);
        let _ignored = events::EVENTS.output(Event::default(), 0);
        aya_log_ebpf::debug!(ctx, "{}", i);
    }
}
