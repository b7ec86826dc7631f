//! The walk over a list's bits: see [`hep_common::rule`].

use hep_common::{
    counter::Reason,
    rule::{
        Action, DIMENSIONS, Dimension, IndexBlock, List, MAX_CHUNKS, MAX_RULES_PER_LIST,
        ROWS_PER_BLOCK, RULES_PER_CHUNK, Row, Rule, WORDS_PER_ROW,
    },
};

use super::answer;
use crate::{
    helpers,
    maps::{self, Slot, Table},
    scene::Trace,
};

/// Most steps of a walk: each leaves a rule or a chunk behind.
const MAX_STEPS: u32 = MAX_RULES_PER_LIST + MAX_CHUNKS;
/// The dimensions that few lists use.
pub(super) const RARE: u32 = Dimension::SourcePort.bit()
    | Dimension::SourceNamedPort.bit()
    | Dimension::DestinationNamedPort.bit();
/// Bits of a word.
const WORD_BITS: u32 = u64::BITS;

/// A walk on its way.
#[repr(C)]
pub(super) struct Walk<'a> {
    pub(super) list: &'static List,
    pub(super) trace: &'a mut Trace,
    /// By number of the dimension, if it is used: where in the `INDEX` table the rows of the packet's
    /// class stand.
    pub(super) rows: [u32; DIMENSIONS],
    pub(super) slot: Slot,
    /// The first rule that may decide.
    pub(super) from: u32,
    /// Bytes to count at each rule that matches; 0: leave no traces.
    pub(super) count_bytes: u32,
    /// What the walk came to.
    pub(super) answer: u32,
}

/// Calls [`Walk::step`] for [`helpers::repeat`].
#[inline(never)]
extern "C" fn step(_index: u64, walk: &mut Walk<'_>) -> i64 {
    i64::from(walk.step::<true>())
}

impl Walk<'_> {
    /// Walks to the end.
    #[inline(always)]
    pub(super) fn run(&mut self) {
        // Most lists use no rare dimension, and are decided by their first match.
        if self.list.dimensions & RARE != 0 || !self.step::<false>() {
            helpers::repeat(MAX_STEPS, step, self);
        }
    }

    /// Finds the next rule that matches and does what it says; whether the walk is over. The list may
    /// use rare dimensions only if `RARELY`.
    #[inline(always)]
    fn step<const RARELY: bool>(&mut self) -> bool {
        if self.from >= self.list.rules {
            // The last rule of a list matches everything.
            return self.ends_with(Reason::Internal as u32);
        }
        match self.next_match::<RARELY>() {
            Some(Next::Rule(number)) => {
                let rule = maps::rules(self.slot)
                    .and_then(|rules| rules.get(self.list.first_rule.wrapping_add(number)));
                match rule {
                    Some(rule) => self.obey(number, rule),
                    None => self.ends_with(Reason::Internal as u32),
                }
            }
            Some(Next::Chunk) => {
                self.from = (self.from | RULES_PER_CHUNK.wrapping_sub(1)).wrapping_add(1);
                false
            }
            None => self.ends_with(Reason::Internal as u32),
        }
    }

    /// Ends the walk.
    #[inline(always)]
    fn ends_with(&mut self, answer: u32) -> bool {
        self.answer = answer;
        true
    }

    /// Does what rule `number` says; whether the walk is over.
    #[inline(always)]
    fn obey(&mut self, number: u32, rule: &Rule) -> bool {
        if self.count_bytes != 0 {
            maps::count_rule(rule.slot, u64::from(self.count_bytes));
        }
        let next = number.wrapping_add(1);
        match Action::try_from(rule.action) {
            Ok(action @ (Action::Allow | Action::Deny | Action::Continue)) => {
                self.trace.rule = number;
                self.trace.slot = rule.slot;
                self.ends_with(answer(action, rule.reason))
            }
            Ok(Action::Pass | Action::Staged) if rule.target >= next => {
                self.from = rule.target;
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

    /// The row of one dimension for the chunk that `from` is in; `None` if the list does not
    /// distinguish classes there.
    #[inline(always)]
    fn row(&self, tables: &Tables, dimension: Dimension) -> Option<Option<&'static Row>> {
        if self.list.dimensions & dimension.bit() == 0 {
            return Some(None);
        }
        let index = self
            .rows
            .get(dimension as usize)?
            .wrapping_add(self.from / RULES_PER_CHUNK);
        let block = tables.index.get(index / ROWS_PER_BLOCK)?;
        let position = index & ROWS_PER_BLOCK.wrapping_sub(1);
        let row = block.rows.get(position as usize)?;
        Some(Some(tables.rows.get(*row)?))
    }

    /// The first match from `from` on in its chunk; `None` if the tables contradict each other.
    #[inline(always)]
    fn next_match<const RARELY: bool>(&self) -> Option<Next> {
        let tables = Tables {
            index: maps::index(self.slot)?,
            rows: maps::rows(self.slot)?,
        };
        let source = self.row(&tables, Dimension::Source)?;
        let destination = self.row(&tables, Dimension::Destination)?;
        let service = self.row(&tables, Dimension::Service)?;
        let any = source.or(destination).or(service);
        if !RARELY || self.list.dimensions & RARE == 0 {
            let Some(any) = any else {
                return Some(Next::Rule(self.from));
            };
            return Some(self.scan(
                // A dimension that is not used takes the row of one that is: that changes nothing.
                [source, destination, service].map(|row| row.unwrap_or(any)),
                None,
            ));
        }
        let source_port = self.row(&tables, Dimension::SourcePort)?;
        let source_named = self.row(&tables, Dimension::SourceNamedPort)?;
        let destination_named = self.row(&tables, Dimension::DestinationNamedPort)?;
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
        let first_word = (self.from / WORD_BITS) & WORDS_PER_ROW.wrapping_sub(1);
        let first_bits = u64::MAX << (self.from & WORD_BITS.wrapping_sub(1));
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
                let chunk = self.from & !RULES_PER_CHUNK.wrapping_sub(1);
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

/// The tables that every step reads.
struct Tables {
    index: &'static Table<IndexBlock>,
    rows: &'static Table<Row>,
}

/// Where a step leads.
enum Next {
    /// To this rule of the list.
    Rule(u32),
    /// To the next chunk.
    Chunk,
}

/// One word of a row.
#[inline(always)]
fn word(row: &'static Row, position: u32) -> u64 {
    let position = helpers::opaque(position as usize) & (WORDS_PER_ROW.wrapping_sub(1)) as usize;
    row.words.get(position).copied().unwrap_or(0)
}
