//! Every map, private, behind small safe functions.

mod count;
mod events;
mod flows;
mod grace;
mod scratch;
mod tables;

pub(crate) use count::{count, count_rule, note};
pub(crate) use events::{decide, decide_reason, records_decisions, submit, take_token};
pub(crate) use flows::{
    Flow, assured_tcp4, assured_tcp6, assured4, assured6, fragment, remember_fragment, set_assured,
    unassured, was_assured,
};
pub(crate) use grace::grace_until_ns;
pub(crate) use scratch::{scratch4, scratch6};
pub(crate) use tables::{
    Near, Policy, Slot, Table, control, destination_ports, interface, interface_quickly,
    is_own_address, is_own_source, is_quickly_own, named_port, own_state, ranges4, ranges6_low,
    ranges6_mid, ranges6_top, root4, root6, rows, settings, source_ports,
};

/// A key on the stack, where the kernel allows aligned access only, while the compiler copies
/// addresses in large words.
#[repr(C, align(8))]
struct Aligned<T>(T);
