//! What happens to a packet, and the only place where it becomes a TC number.

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use hep_common::counter::Reason;

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
    /// The number that the hook understands.
    #[inline(always)]
    pub(crate) const fn tc_action(self) -> i32 {
        match self {
            Self::Allow => TC_ACT_UNSPEC,
            Self::Deny => TC_ACT_SHOT,
        }
    }
}
