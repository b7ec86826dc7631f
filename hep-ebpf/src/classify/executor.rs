//! Executes matching rules: count, log, jump, or end the walk.

use hep_common::{
    counter::Reason,
    rule::{Action, Rule},
};

use super::answer::CONTINUE;
use crate::{maps, scratch::Trace};

/// Progress of a walk over a list.
#[repr(C)]
pub(super) struct Executor<'a> {
    pub(super) trace: &'a mut Trace,
    /// Bytes to count at each rule that matches; 0: neither count nor log.
    pub(super) count_bytes: u32,
    /// The first rule that may decide. It is the upper half of a word, whose content the verifier does not
    /// track; else it would examine the steps of a walk one by one.
    pub(super) from: u32,
    /// Result of the walk: the number of a [`Reason`], or [`CONTINUE`].
    pub(super) answer: u32,
}

impl<'a> Executor<'a> {
    /// A walk that begins at a rule.
    #[inline(always)]
    pub(super) const fn new(trace: &'a mut Trace, count_bytes: u32, from: u32) -> Self {
        Self {
            trace,
            count_bytes,
            from,
            answer: Reason::Internal as u32,
        }
    }

    /// Ends the walk.
    #[inline(always)]
    pub(super) fn ends_with(&mut self, answer: u32) -> bool {
        self.answer = answer;
        true
    }

    /// Executes rule `number`, encoded in `word`; returns whether the walk is over.
    #[inline(always)]
    pub(super) fn execute(&mut self, number: u32, word: Option<u64>) -> bool {
        let Some(word) = word else {
            return self.ends_with(Reason::Internal as u32);
        };
        let rule = Rule::of(word);
        if self.count_bytes != 0 {
            maps::count_rule(rule.slot, u64::from(self.count_bytes));
        }
        let next = number.wrapping_add(1);
        let target = u32::from(rule.target);
        match Action::try_from(rule.action) {
            Ok(action @ (Action::Allow | Action::Deny | Action::Continue)) => {
                self.trace.rule = number;
                self.trace.slot = rule.slot;
                self.ends_with(answer(action, rule.reason))
            }
            Ok(Action::Pass | Action::Staged) if target >= next => {
                self.from = target;
                false
            }
            Ok(Action::Log) => {
                if self.count_bytes != 0 {
                    self.log(rule.slot);
                }
                self.from = next;
                false
            }
            Ok(Action::Pass | Action::Staged) | Err(_) => self.ends_with(Reason::Internal as u32),
        }
    }

    /// Notes a `Log` rule for the packet's record.
    #[inline(always)]
    fn log(&mut self, slot: u32) {
        let position = self.trace.logged_count as usize;
        if let Some(logged) = self.trace.logged.get_mut(position) {
            *logged = slot;
        }
        self.trace.logged_count = self.trace.logged_count.wrapping_add(1);
    }
}

/// Result of a walk that this rule ends.
#[inline(always)]
fn answer(action: Action, reason: u8) -> u32 {
    match action {
        Action::Allow | Action::Deny => u32::from(reason),
        Action::Continue => CONTINUE,
        Action::Pass | Action::Log | Action::Staged => Reason::Internal as u32,
    }
}
