//! Results of evaluating a list, and their numbers.

use hep_common::counter::Reason;

use crate::helpers;

/// Special class: the tables contradict each other.
pub(super) const FAULT: u32 = u32::MAX;

/// Result of evaluating a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A verdict.
    Verdict(Reason),
    /// No verdict: the next stage judges the packet.
    Continue,
}

/// Special reason number: [`Answer::Continue`].
pub(super) const CONTINUE: u32 = 0xff;
/// Special reason number: the list is long and takes a walk. (The function that finds this out returns before
/// its caller makes the walk, since nested calls share the stack.)
pub(super) const LONG: u32 = 0xfe;

impl Answer {
    /// Decodes the number that an evaluation returns.
    #[inline(always)]
    pub(super) fn of(number: u32) -> Self {
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
