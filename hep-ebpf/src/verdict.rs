//! Verdicts, and the only place where they become return codes of hooks.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use hep_common::counter::Reason;

/// Drop the packet: of `linux/netfilter.h`.
const NF_DROP: i32 = 0;
/// On to the next hook.
const NF_ACCEPT: i32 = 1;

/// Verdict about a packet; its reason has been counted by then.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// No objection: later programs and the stack decide (spec EV-003).
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
    /// Return code for a TC hook.
    #[inline(always)]
    pub(crate) const fn tc_action(self) -> i32 {
        match self {
            Self::Allow => TC_ACT_UNSPEC,
            Self::Deny => TC_ACT_SHOT,
        }
    }
    /// Return code for a netfilter hook.
    #[inline(always)]
    pub(crate) const fn netfilter_action(self) -> i32 {
        match self {
            Self::Allow => NF_ACCEPT,
            Self::Deny => NF_DROP,
        }
    }
}
