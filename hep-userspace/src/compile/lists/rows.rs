//! Rows of bits: which rules of a list accept which class.

use std::{
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use hep_common::rule::{DIMENSIONS, Dimension, List, RULES_PER_CHUNK, Row, WORDS_PER_ROW};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{
    builder::FlatList,
    known_rows::{KnownRows, Words, accepted},
};
use crate::compile::{
    CompileError,
    classes::predicates::{Accepted, Classified},
    segments::Segments,
};

/// Rows of earlier generations that may be left over.
const MAX_LEFT_OVER: usize = 4096;

/// Most words in the index.
pub(crate) const MAX_INDEX: usize = 1 << 27;
/// Most rows in the `ROWS` table.
pub(crate) const MAX_ROWS: usize = 1 << 21;

/// The `ROWS` table, which only grows from generation to generation, and the index.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The rows when the generation began, followed by empty ones.
    table: Segments<Row>,
    count: usize,
    /// The rows that were added since.
    added: Vec<Row>,
    /// The last row with a hash, and of each row the one before with the same hash.
    by_hash: FxHashMap<u64, u32>,
    before: Vec<Option<u32>>,
    /// Rows when the table was made from nothing.
    base: usize,
    /// Unique within the process: a table with the same number has the same rows, as far as it goes.
    origin: u64,
    /// By place.
    lists: Vec<Option<KnownRows>>,
    index: Vec<u64>,
    by_entries: FxHashMap<Arc<Vec<u64>>, u32>,
}

/// The tables of a generation's rows.
pub(crate) struct RowTables {
    pub(crate) index: Vec<u64>,
    pub(crate) rows: Segments<Row>,
    pub(crate) origin: u64,
    pub(crate) count: usize,
}

impl Default for Rows {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let mut rows = Self {
            table: Segments::default(),
            count: 0,
            added: Vec::new(),
            by_hash: FxHashMap::default(),
            before: Vec::new(),
            base: 0,
            origin: NEXT.fetch_add(1, Ordering::Relaxed),
            lists: Vec::new(),
            index: Vec::new(),
            by_entries: FxHashMap::default(),
        };
        rows.row([0; WORDS_PER_ROW as usize]);
        rows
    }
}

impl Rows {
    /// Whether most rows are of earlier generations.
    pub(crate) fn is_cluttered(&self) -> bool {
        self.count > 2 * self.base + MAX_LEFT_OVER
    }

    /// Adds the rows of the list at `place` and fills `dimensions` and `rows` of its entry. `classified` has
    /// the classes of each dimension in the list's family.
    ///
    /// # Errors
    ///
    /// [`CompileError::TableTooLarge`].
    pub(crate) fn add(
        &mut self,
        list: &mut List,
        place: usize,
        flat: &Arc<FlatList>,
        classified: [Arc<Classified>; DIMENSIONS],
    ) -> Result<(), CompileError> {
        let known = self.lists.get_mut(place).and_then(Option::take);
        let known = known.filter(|known| known.list.family == flat.family);
        let mut found: [Option<Arc<Vec<u64>>>; DIMENSIONS] = Default::default();
        for dimension in Dimension::ALL {
            let classes = &classified[dimension as usize];
            if let Some(known) = &known
                && known.is_of(flat, dimension, classes)
            {
                if let Some(entries) = &known.entries[dimension as usize] {
                    list.dimensions |= dimension.bit();
                    list.rows[dimension as usize] = self.place(entries)?;
                    found[dimension as usize] = Some(Arc::clone(entries));
                }
                continue;
            }
            let accepted = |rule| accepted(flat, rule, dimension, classes);
            if (0..flat.rules.len()).all(|rule| **accepted(rule) == Accepted::All) {
                continue;
            }
            list.dimensions |= dimension.bit();
            let patched = known
                .as_ref()
                .and_then(|known| self.patched(known, flat, dimension, classes, list.is_short()));
            let entries = patched.unwrap_or_else(|| {
                let accepted: Vec<&Accepted> = (0..flat.rules.len())
                    .map(|rule| &**accepted(rule))
                    .collect();
                Arc::new(self.entries(&accepted, classes.classes, list.is_short()))
            });
            list.rows[dimension as usize] = self.place(&entries)?;
            found[dimension as usize] = Some(entries);
        }
        let rows = KnownRows {
            list: Arc::clone(flat),
            classified,
            entries: found,
        };
        if place >= self.lists.len() {
            self.lists.resize_with(place + 1, || None);
        }
        self.lists[place] = Some(rows);
        Ok(())
    }

    /// The entries of one dimension of a list, from those of the list in the generation before.
    fn patched(
        &mut self,
        known: &KnownRows,
        list: &FlatList,
        dimension: Dimension,
        classified: &Classified,
        is_short: bool,
    ) -> Option<Arc<Vec<u64>>> {
        let entries = known.entries[dimension as usize].as_ref()?;
        let chunks = list.rules.len().div_ceil(RULES_PER_CHUNK as usize);
        let changed = known.changed(list, dimension, classified, |class, chunk| {
            self.words(entries[class * chunks + chunk], is_short)
        })?;
        if changed.is_empty() {
            return Some(Arc::clone(entries));
        }
        let mut entries = Vec::clone(entries);
        entries.resize(classified.classes * chunks, 0);
        for ((class, chunk), words) in changed {
            entries[class * chunks + chunk] = self.entry(words, is_short);
        }
        Some(Arc::new(entries))
    }

    /// The bits that an entry of the index stands for.
    fn words(&self, entry: u64, is_short: bool) -> Words {
        if is_short {
            let mut words = [0; WORDS_PER_ROW as usize];
            words[0] = entry;
            return words;
        }
        self.get(usize::try_from(entry).expect("a row's number"))
            .words
    }

    fn get(&self, row: usize) -> &Row {
        row.checked_sub(self.count)
            .map_or_else(|| &self.table[row], |added| &self.added[added])
    }

    /// The entry in the index for a row: the row itself, if the list is short, else its number.
    fn entry(&mut self, words: Words, is_short: bool) -> u64 {
        match words {
            [first, ..] if is_short => first,
            _ => self.row(words).into(),
        }
    }

    /// The entries of one dimension in the index, by class, then chunk: rows, if the list is short,
    /// else their numbers.
    fn entries(&mut self, accepted: &[&Accepted], classes: usize, is_short: bool) -> Vec<u64> {
        let chunks = accepted.chunks(RULES_PER_CHUNK as usize);
        let count = chunks.len();
        let mut entries = vec![0; classes * count];
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
            let common = self.entry(common, is_short);
            for (class, found) in entries[chunk..].iter_mut().step_by(count).enumerate() {
                *found = match own.get(class) {
                    Some(words) => self.entry(*words, is_short),
                    None => common,
                };
            }
        }
        entries
    }

    /// The number of a row.
    fn row(&mut self, words: Words) -> u32 {
        let hash = FxBuildHasher.hash_one(words);
        let mut same = self.by_hash.get(&hash).copied();
        while let Some(row) = same {
            if self.get(row as usize).words == words {
                return row;
            }
            same = self.before[row as usize];
        }
        let number = u32::try_from(self.before.len()).expect("fewer rows than bytes of memory");
        let used = |(word, bits): (usize, &u64)| u64::from(*bits != 0) << word;
        self.added.push(Row {
            summary: words.iter().enumerate().map(used).sum(),
            words,
        });
        self.before.push(self.by_hash.insert(hash, number));
        number
    }

    /// Puts entries into the index, or finds them there.
    fn place(&mut self, entries: &Arc<Vec<u64>>) -> Result<u32, CompileError> {
        if let Some(&known) = self.by_entries.get(entries) {
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
        if self.before.len() > MAX_ROWS {
            return Err(CompileError::TableTooLarge {
                table: "ROWS",
                entries: self.before.len(),
                limit: MAX_ROWS,
            });
        }
        let first = u32::try_from(self.index.len()).expect("less than MAX_INDEX");
        self.index.extend(&**entries);
        self.by_entries.insert(Arc::clone(entries), first);
        Ok(first)
    }

    /// Ends a generation of `lists` lists: its index, and its rows followed by some empty ones.
    pub(crate) fn finish(&mut self, lists: usize) -> RowTables {
        self.lists.truncate(lists);
        self.by_entries.clear();
        let added = std::mem::take(&mut self.added);
        let count = self.count + added.len();
        if count <= self.table.len() {
            self.table.write(self.count, &added);
        } else {
            let empty = Row {
                summary: 0,
                words: [0; WORDS_PER_ROW as usize],
            };
            let mut all: Vec<Row> = Vec::with_capacity(with_room(count));
            all.extend(self.table.iter().take(self.count));
            all.extend(added);
            all.resize(with_room(count), empty);
            self.table = all.into();
        }
        if self.base == 0 {
            self.base = count;
        }
        self.count = count;
        RowTables {
            index: std::mem::take(&mut self.index),
            rows: self.table.clone(),
            origin: self.origin,
            count,
        }
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
