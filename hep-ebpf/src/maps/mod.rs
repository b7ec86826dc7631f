//! Every map, private, behind small safe functions.

mod count;
mod events;
mod flows;
mod fragments;
mod grace;
mod scratch;
mod tables;

pub(crate) use count::{count, count_rule, note};
pub(crate) use events::{decide, decide_reason, records_decisions, submit, take_token};
pub(crate) use flows::{Flow, Flows, set_assured, was_assured};
pub(crate) use fragments::{fragment, remember_fragment};
pub(crate) use grace::grace_until_ns;
pub(crate) use scratch::Work;
pub(crate) use tables::{
    Near, Policy, Slot, Table, control, destination_ports, interface, interface_quickly,
    is_own_address, is_own_source, is_quickly_own, named_port, own_state, ranges4, ranges6_low,
    ranges6_mid, ranges6_top, root4, root6, rows, settings, source_ports,
};
