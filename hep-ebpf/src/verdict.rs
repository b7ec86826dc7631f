//! What happens to a packet, and the only place where it becomes a number of a hook.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use hep_common::counter::Reason;

/// Drop the packet: of `linux/netfilter.h`.
const NF_DROP: i32 = 0;
/// On to the next hook.
const NF_ACCEPT: i32 = 1;

/// What happens to a packet. Why has been counted by then.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// No objection: later programs and the stack decide on (spec EV-003).
    Allow,
    /// Drop it.
    Deny,
}

impl From<Reason> for Verdict {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        if reason.allows() {
            Self::Allow
        } else {
            Self::Deny
        }
    }
}

impl Verdict {
    /// The number that a TC hook understands.
    #[inline(always)]
    pub(crate) const fn tc_action(self) -> i32 {
        match self {
            Self::Allow => TC_ACT_UNSPEC,
            Self::Deny => TC_ACT_SHOT,
        }
    }
    /// The number that a netfilter hook understands.
    #[inline(always)]
    pub(crate) const fn netfilter_action(self) -> i32 {
        match self {
            Self::Allow => NF_ACCEPT,
            Self::Deny => NF_DROP,
        }
    }
}
