//! The walk over a long list's bits: see [`hep_common::rule`].

use hep_common::{
    counter::Reason,
    rule::{Dimension, MAX_CHUNKS, MAX_RULES_PER_LIST, RULES_PER_CHUNK, Row, WORDS_PER_ROW},
};

use super::executor::Executor;
use crate::{
    helpers,
    maps::{self, Policy, Slot, Table},
    scratch::Trace,
};

/// Most steps of a walk: each passes a rule or a chunk.
const MAX_STEPS: u32 = MAX_RULES_PER_LIST + MAX_CHUNKS;
/// The dimensions that few lists use.
pub(super) const RARE: u32 = Dimension::SourcePort.bit()
    | Dimension::SourceNamedPort.bit()
    | Dimension::DestinationNamedPort.bit();
/// Bits of a word.
const WORD_BITS: u32 = u64::BITS;

/// State of a walk over a long list.
#[repr(C)]
struct Walk<'a> {
    executor: Executor<'a>,
    policy: Policy,
    slot: Slot,
}

/// Walks over the list in `trace`, from rule `from` on; returns the number of a [`Reason`], or
/// [`CONTINUE`](super::answer::CONTINUE).
#[inline(always)]
pub(super) fn walk(slot: Slot, trace: &mut Trace, count_bytes: u32, from: u32) -> u32 {
    hep_walk(slot.number(), trace, count_bytes, from)
}

/// The walk as a global function, which the kernel verifies once.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_walk(slot: u32, trace: *mut Trace, count_bytes: u32, from: u32) -> u32 {
    // SAFETY: the kernel knows no other caller than `walk`, which hands on a reference and waits.
    let Some(trace) = (unsafe { helpers::handed_mut(trace) }) else {
        return Reason::Internal as u32;
    };
    let slot = Slot::of(slot);
    let Some((policy, _)) = Policy::find(slot, trace.list) else {
        return Reason::Internal as u32;
    };
    let mut walk = Walk {
        executor: Executor::new(trace, count_bytes, from),
        policy,
        slot,
    };
    // Most lists use no rare dimension, and are decided by their first match.
    if policy.list().dimensions & RARE != 0 || !walk.step::<false>() {
        helpers::repeat(MAX_STEPS, step, &mut walk);
    }
    walk.executor.answer
}

/// Calls [`Walk::step`] for [`helpers::repeat`].
#[inline(never)]
extern "C" fn step(_index: u64, walk: &mut Walk<'_>) -> i64 {
    i64::from(walk.step::<true>())
}

impl Walk<'_> {
    /// Executes the next rule that matches; returns whether the walk is over. The list may use rare
    /// dimensions only if `RARELY`.
    #[inline(always)]
    fn step<const RARELY: bool>(&mut self) -> bool {
        let list = self.policy.list();
        if self.executor.from >= list.rules {
            // The last rule of a list matches everything.
            return self.executor.ends_with(Reason::Internal as u32);
        }
        match self.next_match::<RARELY>() {
            Some(Next::Rule(number)) => {
                let place = list.first_rule.wrapping_add(number);
                let word = self.policy.word(place);
                self.executor.execute(number, word)
            }
            Some(Next::Chunk) => {
                let last = self.executor.from | RULES_PER_CHUNK.wrapping_sub(1);
                self.executor.from = last.wrapping_add(1);
                false
            }
            None => self.executor.ends_with(Reason::Internal as u32),
        }
    }

    /// The row of one dimension for the chunk that `from` is in; `None` if the list does not
    /// distinguish classes there.
    #[inline(always)]
    fn row(
        &self,
        table: &'static Table<Row>,
        dimension: Dimension,
    ) -> Option<Option<&'static Row>> {
        if self.policy.list().dimensions & dimension.bit() == 0 {
            return Some(None);
        }
        let index = self
            .executor
            .trace
            .rows
            .get(dimension as usize)?
            .wrapping_add(self.executor.from / RULES_PER_CHUNK);
        let number = u32::try_from(self.policy.word(index)?).ok()?;
        Some(Some(table.get(number)?))
    }

    /// The first match from `from` on in its chunk; `None` if the tables contradict each other.
    #[inline(always)]
    fn next_match<const RARELY: bool>(&self) -> Option<Next> {
        let table = maps::rows(self.slot)?;
        let source = self.row(table, Dimension::Source)?;
        let destination = self.row(table, Dimension::Destination)?;
        let service = self.row(table, Dimension::Service)?;
        let any = source.or(destination).or(service);
        if !RARELY || self.policy.list().dimensions & RARE == 0 {
            let Some(any) = any else {
                return Some(Next::Rule(self.executor.from));
            };
            return Some(self.scan(
                // A dimension that is not used takes the row of one that is: that changes nothing.
                [source, destination, service].map(|row| row.unwrap_or(any)),
                None,
            ));
        }
        let source_port = self.row(table, Dimension::SourcePort)?;
        let source_named = self.row(table, Dimension::SourceNamedPort)?;
        let destination_named = self.row(table, Dimension::DestinationNamedPort)?;
        let any = any.or(source_port).or(source_named).or(destination_named)?;
        Some(self.scan(
            [source, destination, service].map(|row| row.unwrap_or(any)),
            Some([source_port, source_named, destination_named].map(|row| row.unwrap_or(any))),
        ))
    }

    /// The first rule from `from` on in its chunk whose bit is set in all `rows`, and in all `more`
    /// if there are more. (With three rows all that the loop needs fits into registers.)
    #[inline(always)]
    fn scan(&self, rows: [&'static Row; 3], more: Option<[&'static Row; 3]>) -> Next {
        let [source, destination, service] = rows;
        let first_word = (self.executor.from / WORD_BITS) & WORDS_PER_ROW.wrapping_sub(1);
        let first_bits = u64::MAX << (self.executor.from & WORD_BITS.wrapping_sub(1));
        let mut summary = source.summary & destination.summary & service.summary;
        if let Some([a, b, c]) = more {
            summary &= a.summary & b.summary & c.summary;
        }
        summary &= u64::MAX << first_word;
        for _ in 0..WORDS_PER_ROW {
            if summary == 0 {
                break;
            }
            let position = summary.trailing_zeros();
            let at = |row: &'static Row| word(row, position);
            let mut word = at(source) & at(destination) & at(service);
            if position == first_word {
                word &= first_bits;
            }
            if let Some([a, b, c]) = more
                && word != 0
            {
                word &= at(a) & at(b) & at(c);
            }
            if word != 0 {
                let bit = word.trailing_zeros();
                let chunk = self.executor.from & !RULES_PER_CHUNK.wrapping_sub(1);
                let number = chunk
                    .wrapping_add(position.wrapping_mul(WORD_BITS))
                    .wrapping_add(bit);
                return Next::Rule(number);
            }
            summary &= summary.wrapping_sub(1);
        }
        Next::Chunk
    }
}

/// Result of the search for the next match.
enum Next {
    /// This rule of the list matches.
    Rule(u32),
    /// No rule of this chunk matches: try the next one.
    Chunk,
}

/// One word of a row.
#[inline(always)]
fn word(row: &'static Row, position: u32) -> u64 {
    let position = helpers::opaque(position as usize) & (WORDS_PER_ROW.wrapping_sub(1)) as usize;
    row.words.get(position).copied().unwrap_or(0)
}
