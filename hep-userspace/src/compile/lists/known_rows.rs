//! Rows of a list, changed where its rules or their classes changed.

use std::{collections::BTreeMap, sync::Arc};

use hep_common::rule::{DIMENSIONS, Dimension, RULES_PER_CHUNK, WORDS_PER_ROW};

use super::builder::FlatList;
use crate::compile::classes::predicates::{Accepted, Classified};

/// Most changed rules, and most new classes, for which rows are not made from nothing.
const MAX_CHANGED: usize = 256;

/// The bits of a row.
pub(crate) type Words = [u64; WORDS_PER_ROW as usize];

/// The rows of one list in the last generation.
#[derive(Debug)]
pub(crate) struct KnownRows {
    pub(crate) list: Arc<FlatList>,
    /// By dimension.
    pub(crate) classified: [Arc<Classified>; DIMENSIONS],
    /// Entries in the index, by dimension; `None` where every rule accepts every class.
    pub(crate) entries: [Option<Arc<Vec<u64>>>; DIMENSIONS],
}

/// The classes that a rule accepts in a dimension.
pub(crate) fn accepted<'c>(
    list: &FlatList,
    rule: usize,
    dimension: Dimension,
    classified: &'c Classified,
) -> &'c Arc<Accepted> {
    &classified.accepted[list.rules[rule].matches[dimension as usize] as usize]
}

/// Rows that have changed, by class and chunk.
pub(crate) type Changed = BTreeMap<(usize, usize), Words>;

impl KnownRows {
    /// Whether the rows in a dimension are those of this list and these classes.
    pub(crate) fn is_of(
        &self,
        list: &Arc<FlatList>,
        dimension: Dimension,
        classified: &Arc<Classified>,
    ) -> bool {
        Arc::ptr_eq(&self.list, list)
            && Arc::ptr_eq(&self.classified[dimension as usize], classified)
    }

    /// The rows in one dimension that `list` has otherwise, of classes that were there and of new ones; `row`
    /// is the present row of a class and chunk. `None` if they are better made from nothing.
    pub(crate) fn changed(
        &self,
        list: &FlatList,
        dimension: Dimension,
        classified: &Classified,
        row: impl Fn(usize, usize) -> Words,
    ) -> Option<Changed> {
        let before = &self.classified[dimension as usize];
        let new_classes = classified.classes.checked_sub(before.classes)?;
        if self.list.rules.len() != list.rules.len() || new_classes > MAX_CHANGED {
            return None;
        }
        let mut changed = Changed::new();
        let mut rules = 0;
        for rule in 0..list.rules.len() {
            let one = accepted(&self.list, rule, dimension, before);
            let other = accepted(list, rule, dimension, classified);
            if Arc::ptr_eq(one, other) || one == other {
                continue;
            }
            rules += 1;
            if rules > MAX_CHANGED {
                return None;
            }
            let (chunk, place) = place(rule);
            for class in differing(one, other, before.classes) {
                let words = changed.entry((class, chunk));
                let words = words.or_insert_with(|| row(class, chunk));
                set(words, place, other.holds(class));
            }
        }
        for class in before.classes..classified.classes {
            for (chunk, words) in row_of(list, dimension, classified, class)
                .into_iter()
                .enumerate()
            {
                changed.insert((class, chunk), words);
            }
        }
        Some(changed)
    }
}

/// The rows of one class.
fn row_of(
    list: &FlatList,
    dimension: Dimension,
    classified: &Classified,
    class: usize,
) -> Vec<Words> {
    let chunks = list.rules.len().div_ceil(RULES_PER_CHUNK as usize);
    let mut rows = vec![[0; WORDS_PER_ROW as usize]; chunks];
    for rule in 0..list.rules.len() {
        let (chunk, place) = place(rule);
        let holds = accepted(list, rule, dimension, classified).holds(class);
        set(&mut rows[chunk], place, holds);
    }
    rows
}

/// The chunk of a rule, and its place there.
const fn place(rule: usize) -> (usize, usize) {
    let rules = RULES_PER_CHUNK as usize;
    (rule / rules, rule % rules)
}

const fn set(words: &mut Words, place: usize, is_set: bool) {
    let bit = 1 << (place % 64);
    if is_set {
        words[place / 64] |= bit;
    } else {
        words[place / 64] &= !bit;
    }
}

/// The classes below `classes` that one accepts and the other does not, and perhaps others.
fn differing(one: &Accepted, other: &Accepted, classes: usize) -> Vec<usize> {
    let listed = |accepted: &Accepted| match accepted {
        Accepted::Only(classes) | Accepted::AllBut(classes) => classes.clone(),
        Accepted::All => Vec::new(),
    };
    let are_alike = matches!(
        (one, other),
        (Accepted::Only(_), Accepted::Only(_))
            | (
                Accepted::All | Accepted::AllBut(_),
                Accepted::All | Accepted::AllBut(_)
            )
    );
    if !are_alike {
        return (0..classes).collect();
    }
    let mut found = [listed(one), listed(other)].concat();
    found.sort_unstable();
    found.dedup();
    let found = found.into_iter().map(usize::from);
    found.filter(|class| *class < classes).collect()
}
