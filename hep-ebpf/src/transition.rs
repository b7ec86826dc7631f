//! Transitions: the next step, once a verdict or part of the way to it is known.

use aya_log_ebpf::macro_support::{Level, level_enabled};
use hep_common::counter::Reason;

use crate::{
    address::Address, conntrack, context::PacketContext, frame::Frame, maps, next_step::Step,
    parse::Fragment, report, scratch::Scratch,
};

/// Next step for a packet that nothing before the connection table has decided about.
#[inline(always)]
pub(crate) fn after_stages(protocol: u8, tcp_flags: u8) -> Step {
    if conntrack::is_opening(protocol, tcp_flags) {
        Step::OPEN
    } else {
        Step::TRACK
    }
}

/// Counts a verdict, and stores it if decisions are recorded.
#[inline(always)]
pub(crate) fn conclude(context: &PacketContext<'_, impl Frame>, reason: Reason) -> Step {
    if maps::records_decisions() {
        maps::decide_reason(reason);
    }
    maps::count(context.counters(), reason, u64::from(context.bytes()));
    Step::done(reason)
}

/// Counts a verdict, unless records must be written first: then that is the next step.
#[inline(always)]
pub(crate) fn settle<A: Address>(
    context: &PacketContext<'_, impl Frame>,
    scratch: &Scratch<A>,
    reason: Reason,
) -> Step {
    if scratch.packet.fragment == Fragment::First
        || report::is_due(context, &scratch.trace, reason)
        || leaves_more()
    {
        Step::finish(reason)
    } else {
        conclude(context, reason)
    }
}

/// Whether the programs were loaded to write more than the records that policy asks for: a constant to the
/// verifier.
#[inline(always)]
pub(crate) fn leaves_more() -> bool {
    maps::records_decisions() || level_enabled(Level::Debug)
}
