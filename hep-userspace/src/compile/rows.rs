//! Rows of bits: which rules of a list accept which class.

use hep_common::rule::{
    Dimension, IndexBlock, List, ROWS_PER_BLOCK, RULES_PER_CHUNK, Row, WORDS_PER_ROW,
};
use rustc_hash::FxHashMap;

use super::{
    CompileError,
    expand::Match,
    predicates::{Accepted, Classified},
};

/// Most row numbers in the `INDEX` table.
pub(super) const MAX_INDEX: usize = 1 << 28;
/// Most rows in the `ROWS` table.
pub(super) const MAX_ROWS: usize = 1 << 21;

type Words = [u64; WORDS_PER_ROW as usize];

/// The `INDEX` and `ROWS` tables while they grow.
#[derive(Debug)]
pub(super) struct Rows {
    index: Vec<u32>,
    rows: Vec<Row>,
    by_words: FxHashMap<Words, u32>,
    by_numbers: FxHashMap<Vec<u32>, u32>,
}

impl Default for Rows {
    fn default() -> Self {
        let mut rows = Self {
            index: Vec::new(),
            rows: Vec::new(),
            by_words: FxHashMap::default(),
            by_numbers: FxHashMap::default(),
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
    pub(super) fn add<'c>(
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
            let numbers = self.numbers(&accepted, classes.classes);
            list.rows[dimension as usize] = self.place(numbers)?;
        }
        Ok(())
    }

    /// The row numbers of one dimension, by class, then chunk.
    fn numbers(&mut self, accepted: &[&Accepted], classes: usize) -> Vec<u32> {
        let chunks = accepted.chunks(RULES_PER_CHUNK as usize);
        let count = chunks.len();
        let mut numbers = vec![0; classes * count];
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
            let common = self.row(common);
            for (class, number) in numbers[chunk..].iter_mut().step_by(count).enumerate() {
                *number = own.get(class).map_or(common, |words| self.row(*words));
            }
        }
        numbers
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

    /// Puts row numbers into the index, or finds them there.
    fn place(&mut self, numbers: Vec<u32>) -> Result<u32, CompileError> {
        if let Some(&known) = self.by_numbers.get(&numbers) {
            return Ok(known);
        }
        let entries = self.index.len() + numbers.len();
        if entries > MAX_INDEX {
            return Err(CompileError::TableTooLarge {
                table: "INDEX",
                entries,
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
        self.index.extend(&numbers);
        self.by_numbers.insert(numbers, first);
        Ok(first)
    }

    /// The tables.
    pub(super) fn finish(mut self) -> (Vec<IndexBlock>, Vec<Row>) {
        let blocks = self.index.len().div_ceil(ROWS_PER_BLOCK as usize).max(1);
        self.index.resize(blocks * ROWS_PER_BLOCK as usize, 0);
        let index = self
            .index
            .as_chunks()
            .0
            .iter()
            .map(|rows| IndexBlock { rows: *rows });
        (index.collect(), self.rows)
    }
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
