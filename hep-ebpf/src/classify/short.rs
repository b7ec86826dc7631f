//! The walk over a short list's bits, which are one word: see [`hep_common::rule`].

use hep_common::{
    counter::Reason,
    rule::{DIMENSIONS, Dimension, MAX_SHORT},
};

use super::executor::Executor;
use crate::{
    helpers,
    maps::{Near, Policy, Slot},
    scratch::Trace,
};

/// State of a walk over a short list.
#[repr(C)]
struct Short<'a> {
    executor: Executor<'a>,
    policy: Policy,
    near: Near,
    /// The rules that match.
    row: u64,
}

/// Walks over a short list, of which the rules in `row` match; returns the number of a [`Reason`], or
/// [`CONTINUE`](super::answer::CONTINUE).
#[inline(always)]
pub(super) fn walk(
    executor: Executor<'_>,
    policy: Policy,
    near: Near,
    slot: Slot,
    row: u64,
) -> u32 {
    let mut walk = Short {
        executor,
        policy,
        near,
        row,
    };
    // Most lists are decided by their first match.
    if walk.step() {
        return walk.executor.answer;
    }
    let Executor {
        trace,
        count_bytes,
        from,
        ..
    } = walk.executor;
    rest(slot, trace, row, count_bytes, from)
}

/// Walks to the end.
#[inline(never)]
fn rest(slot: Slot, trace: &mut Trace, row: u64, count_bytes: u32, from: u32) -> u32 {
    let Some((policy, near)) = Policy::find(slot, trace.list) else {
        return Reason::Internal as u32;
    };
    let mut walk = Short {
        executor: Executor::new(trace, count_bytes, from),
        policy,
        near,
        row,
    };
    helpers::repeat(MAX_SHORT, step, &mut walk);
    walk.executor.answer
}

/// Calls [`Short::step`] for [`helpers::repeat`].
#[inline(never)]
extern "C" fn step(_index: u64, walk: &mut Short<'_>) -> i64 {
    i64::from(walk.step())
}

impl Short<'_> {
    /// Executes the next rule that matches; returns whether the walk is over.
    #[inline(always)]
    fn step(&mut self) -> bool {
        let Self {
            policy, executor, ..
        } = &*self;
        let row = self.row & u64::MAX << (executor.from & MAX_SHORT.wrapping_sub(1));
        if row == 0 || executor.from >= MAX_SHORT {
            // The last rule of a list matches everything.
            return self.executor.ends_with(Reason::Internal as u32);
        }
        let number = row.trailing_zeros();
        let word = self
            .near
            .word(policy, policy.list().first_rule.wrapping_add(number));
        self.executor.execute(number, word)
    }
}

/// The rules of a short list that match a packet whose classes are at `rows` of the index.
#[inline(always)]
pub(super) fn row(policy: &Policy, near: Near, rows: &[u32; DIMENSIONS]) -> Option<u64> {
    let mut found = u64::MAX;
    for dimension in Dimension::ALL {
        if policy.list().dimensions & dimension.bit() != 0 {
            found &= near.word(policy, *rows.get(dimension as usize)?)?;
        }
    }
    Some(found)
}
