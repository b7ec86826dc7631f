//! Rows of bits: which rules of a list accept which class.

use hep_common::rule::{Dimension, List, RULES_PER_CHUNK, Row, WORDS_PER_ROW};
use rustc_hash::FxHashMap;

use super::expand::Match;
use crate::compile::{
    CompileError,
    classes::predicates::{Accepted, Classified},
};

/// Most words in the index.
pub(crate) const MAX_INDEX: usize = 1 << 27;
/// Most rows in the `ROWS` table.
pub(crate) const MAX_ROWS: usize = 1 << 21;

type Words = [u64; WORDS_PER_ROW as usize];

/// The index and the `ROWS` table while they grow.
#[derive(Debug)]
pub(crate) struct Rows {
    index: Vec<u64>,
    rows: Vec<Row>,
    by_words: FxHashMap<Words, u32>,
    by_entries: FxHashMap<Vec<u64>, u32>,
}

impl Default for Rows {
    fn default() -> Self {
        let mut rows = Self {
            index: Vec::new(),
            rows: Vec::new(),
            by_words: FxHashMap::default(),
            by_entries: FxHashMap::default(),
        };
        rows.row([0; WORDS_PER_ROW as usize]);
        rows
    }
}

impl Rows {
    /// Adds the rows of a list and fills `dimensions` and `rows` of its entry. `classified` gives
    /// the classes of each dimension in the list's family.
    ///
    /// # Errors
    ///
    /// [`CompileError::TableTooLarge`].
    pub(crate) fn add<'c>(
        &mut self,
        list: &mut List,
        matches: &[Match],
        classified: impl Fn(Dimension) -> &'c Classified,
    ) -> Result<(), CompileError> {
        for dimension in Dimension::ALL {
            let classes = classified(dimension);
            let accepted: Vec<&Accepted> = matches
                .iter()
                .map(|predicates| &classes.accepted[predicates[dimension as usize] as usize])
                .collect();
            if accepted.iter().all(|accepted| **accepted == Accepted::All) {
                continue;
            }
            list.dimensions |= dimension.bit();
            let entries = self.entries(&accepted, classes.classes, list.is_short());
            list.rows[dimension as usize] = self.place(entries)?;
        }
        Ok(())
    }

    /// The entries of one dimension in the index, by class, then chunk: rows, if the list is short,
    /// else their numbers.
    fn entries(&mut self, accepted: &[&Accepted], classes: usize, is_short: bool) -> Vec<u64> {
        let chunks = accepted.chunks(RULES_PER_CHUNK as usize);
        let count = chunks.len();
        let mut entries = vec![0; classes * count];
        let mut entry = |words: Words| match words {
            [first, ..] if is_short => first,
            _ => self.row(words).into(),
        };
        for (chunk, accepted) in chunks.enumerate() {
            let mut common: Words = [0; WORDS_PER_ROW as usize];
            for (rule, accepted) in accepted.iter().enumerate() {
                match accepted {
                    Accepted::All | Accepted::AllBut(_) => common[rule / 64] |= 1 << (rule % 64),
                    Accepted::Only(_) => {}
                }
            }
            let mut own = OwnWords::new(classes, common);
            for (rule, accepted) in accepted.iter().enumerate() {
                let bit = 1 << (rule % 64);
                match accepted {
                    Accepted::All => {}
                    Accepted::Only(only) => {
                        for class in only {
                            own.of(*class)[rule / 64] |= bit;
                        }
                    }
                    Accepted::AllBut(except) => {
                        for class in except {
                            own.of(*class)[rule / 64] &= !bit;
                        }
                    }
                }
            }
            let common = entry(common);
            for (class, found) in entries[chunk..].iter_mut().step_by(count).enumerate() {
                *found = own.get(class).map_or(common, |words| entry(*words));
            }
        }
        entries
    }

    fn row(&mut self, words: Words) -> u32 {
        let next = u32::try_from(self.rows.len()).expect("fewer rows than bytes of memory");
        *self.by_words.entry(words).or_insert_with(|| {
            let used = |(word, bits): (usize, &u64)| u64::from(*bits != 0) << word;
            self.rows.push(Row {
                summary: words.iter().enumerate().map(used).sum(),
                words,
            });
            next
        })
    }

    /// Puts entries into the index, or finds them there.
    fn place(&mut self, entries: Vec<u64>) -> Result<u32, CompileError> {
        if let Some(&known) = self.by_entries.get(&entries) {
            return Ok(known);
        }
        let length = self.index.len() + entries.len();
        if length > MAX_INDEX {
            return Err(CompileError::TableTooLarge {
                table: "POLICY",
                entries: length,
                limit: MAX_INDEX,
            });
        }
        if self.rows.len() > MAX_ROWS {
            return Err(CompileError::TableTooLarge {
                table: "ROWS",
                entries: self.rows.len(),
                limit: MAX_ROWS,
            });
        }
        let first = u32::try_from(self.index.len()).expect("less than MAX_INDEX");
        self.index.extend(&entries);
        self.by_entries.insert(entries, first);
        Ok(first)
    }

    /// The index, and the rows followed by some empty ones.
    pub(crate) fn finish(mut self) -> (Vec<u64>, Vec<Row>) {
        let empty = Row {
            summary: 0,
            words: [0; WORDS_PER_ROW as usize],
        };
        let length = with_room(self.rows.len());
        self.rows.resize(length, empty);
        (self.index, self.rows)
    }
}

/// A little more than `length`, and the same for lengths near it: most changes of a table leave its map
/// as long as it is, and need no other.
pub(crate) const fn with_room(length: usize) -> usize {
    let step = (length / 16).next_power_of_two();
    (length + step / 2).next_multiple_of(step)
}

/// The words of the classes that differ from the common ones.
struct OwnWords {
    /// By class: 1 + the place in `words`, or 0.
    places: Vec<u32>,
    words: Vec<Words>,
    common: Words,
}

impl OwnWords {
    fn new(classes: usize, common: Words) -> Self {
        Self {
            places: vec![0; classes],
            words: Vec::new(),
            common,
        }
    }

    fn of(&mut self, class: u16) -> &mut Words {
        let place = &mut self.places[usize::from(class)];
        if *place == 0 {
            self.words.push(self.common);
            *place = u32::try_from(self.words.len()).expect("at most MAX_CLASSES");
        }
        &mut self.words[*place as usize - 1]
    }

    fn get(&self, class: usize) -> Option<&Words> {
        let place = self.places[class] as usize;
        self.words.get(place.checked_sub(1)?)
    }
}
