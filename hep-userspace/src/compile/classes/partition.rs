//! Equivalence classes of positions: two positions are in one class if exactly the same sets hold
//! them.
//!
//! A sweep over the ends of all ranges keeps the *signature* (the sets that hold the current
//! position). Signatures are interned, and steps between them remembered, so that a step costs one
//! look-up however many sets overlap.

use std::borrow::Borrow;

use rustc_hash::FxHashMap;

use crate::compile::sets::ranges::{Position, RangeSet};

/// Most classes in one partition: class numbers are 16 bits wide.
pub(crate) const MAX_CLASSES: usize = 65_535;

/// Steps at one position that are taken one by one; more are applied at once, so that thousands of sets
/// with a common start do not leave thousands of unused signatures.
const MAX_SINGLE_STEPS: usize = 4;

/// A partition of all positions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition<T> {
    /// Where each range starts, and its class; the first starts at the lowest position, and
    /// neighbours differ.
    pub(crate) ranges: Vec<(T, u16)>,
    /// For each set, its classes, ascending. Class 0 is in no set.
    pub(crate) classes_of_set: Vec<Vec<u16>>,
    /// Number of classes, class 0 included.
    pub(crate) classes: usize,
}

/// Partitions by membership in `sets`.
///
/// # Errors
///
/// The number of classes, if that is more than [`MAX_CLASSES`].
pub(crate) fn partition<T: Position>(
    sets: Vec<impl Borrow<RangeSet<T>>>,
) -> Result<Partition<T>, usize> {
    let count = sets.len();
    let ranges = sets.iter().map(|set| set.borrow().as_slice().len());
    let mut steps: Vec<(T, u32)> = Vec::with_capacity(2 * ranges.sum::<usize>());
    for (number, set) in (0..).zip(sets) {
        for &(first, last) in set.borrow().as_slice() {
            steps.push((first, number));
            steps.extend(last.above().map(|end| (end, number)));
        }
    }
    // Stable: the steps of one set are sorted already, and such runs are merged, not sorted again.
    steps.sort_by_key(|step| step.0);

    let mut signatures = Signatures::default();
    let mut classes = Classes::default();
    let mut current = Signatures::EMPTY;
    let mut ranges = Vec::with_capacity(steps.len() + 1);
    ranges.push((T::MIN, classes.of(current)));
    for at_once in steps.chunk_by(|a, b| a.0 == b.0) {
        let position = at_once[0].0;
        current = signatures.step(current, at_once.iter().map(|step| step.1));
        let class = classes.of(current);
        if position == T::MIN {
            ranges.clear();
        }
        if ranges.last().is_none_or(|before| before.1 != class) {
            ranges.push((position, class));
        }
    }
    drop(steps);
    classes.finish(&signatures, ranges, count)
}

/// Classes in the order in which their signatures turn up; the empty signature is class 0.
struct Classes {
    of_signature: FxHashMap<u32, u32>,
    signatures: Vec<u32>,
}

impl Default for Classes {
    fn default() -> Self {
        let mut classes = Self {
            of_signature: FxHashMap::default(),
            signatures: Vec::new(),
        };
        classes.of(Signatures::EMPTY);
        classes
    }
}

impl Classes {
    fn of(&mut self, signature: u32) -> u32 {
        let next = u32::try_from(self.signatures.len()).expect("fewer classes than table entries");
        *self.of_signature.entry(signature).or_insert_with(|| {
            self.signatures.push(signature);
            next
        })
    }

    fn finish<T>(
        self,
        signatures: &Signatures,
        ranges: Vec<(T, u32)>,
        sets: usize,
    ) -> Result<Partition<T>, usize> {
        let classes = self.signatures.len();
        if classes > MAX_CLASSES {
            return Err(classes);
        }
        let mut classes_of_set = vec![Vec::new(); sets];
        for (class, signature) in (0_u16..).zip(self.signatures) {
            for &set in signatures.sets(signature) {
                classes_of_set[set as usize].push(class);
            }
        }
        Ok(Partition {
            ranges: ranges
                .into_iter()
                .map(|(start, class)| {
                    (
                        start,
                        u16::try_from(class).expect("at most MAX_CLASSES classes"),
                    )
                })
                .collect(),
            classes_of_set,
            classes,
        })
    }
}

/// Interned signatures: sorted lists of set numbers.
struct Signatures {
    members: Vec<Box<[u32]>>,
    by_members: FxHashMap<Box<[u32]>, u32>,
    /// Which signature a signature becomes when one set begins or ends.
    steps: FxHashMap<(u32, u32), u32>,
}

impl Default for Signatures {
    fn default() -> Self {
        Self {
            members: vec![Box::default()],
            by_members: FxHashMap::from_iter([(Box::default(), Self::EMPTY)]),
            steps: FxHashMap::default(),
        }
    }
}

impl Signatures {
    const EMPTY: u32 = 0;

    fn sets(&self, signature: u32) -> &[u32] {
        &self.members[signature as usize]
    }

    /// The signature after each of `sets` (ascending, without repeats) has begun or ended.
    fn step(&mut self, from: u32, sets: impl ExactSizeIterator<Item = u32>) -> u32 {
        if sets.len() > MAX_SINGLE_STEPS {
            let toggled: Vec<u32> = sets.collect();
            return self.toggle(from, &toggled);
        }
        let mut signature = from;
        for set in sets {
            signature = match self.steps.get(&(signature, set)) {
                Some(&next) => next,
                None => {
                    let next = self.toggle(signature, &[set]);
                    self.steps.insert((signature, set), next);
                    self.steps.insert((next, set), signature);
                    next
                }
            };
        }
        signature
    }

    /// Interns the symmetric difference of a signature and `sets`.
    fn toggle(&mut self, signature: u32, sets: &[u32]) -> u32 {
        let old = self.sets(signature);
        let mut new = Vec::with_capacity(old.len() + sets.len());
        let (mut a, mut b) = (old.iter().peekable(), sets.iter().peekable());
        loop {
            match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x == y => {
                    a.next();
                    b.next();
                }
                (Some(&&x), Some(&&y)) if x < y => {
                    new.push(x);
                    a.next();
                }
                (_, Some(&&y)) => {
                    new.push(y);
                    b.next();
                }
                (Some(&&x), None) => {
                    new.push(x);
                    a.next();
                }
                (None, None) => break,
            }
        }
        let new = new.into_boxed_slice();
        if let Some(&known) = self.by_members.get(&new) {
            return known;
        }
        let number = u32::try_from(self.members.len()).expect("fewer signatures than steps");
        self.members.push(new.clone());
        self.by_members.insert(new, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sets(ranges: &[&[(u32, u32)]]) -> Vec<RangeSet<u32>> {
        ranges
            .iter()
            .map(|set| RangeSet::new(set.to_vec()))
            .collect()
    }

    #[test]
    fn overlap_is_a_class_of_its_own() {
        let partition = partition(sets(&[&[(10, 29)], &[(20, 39)], &[]])).expect("few classes");
        assert_eq!(
            partition.ranges,
            [(0, 0), (10, 1), (20, 2), (30, 3), (40, 0)]
        );
        assert_eq!(
            partition.classes_of_set,
            [vec![1, 2], vec![2, 3], Vec::new()]
        );
    }

    #[test]
    fn equal_sets_share_classes_and_edges_of_the_line_need_no_step() {
        let partition =
            partition(sets(&[&[(0, u32::MAX)], &[(0, 4)], &[(0, 4)]])).expect("few classes");
        assert_eq!(partition.ranges, [(0, 1), (5, 2)]);
        assert_eq!(partition.classes_of_set, [vec![1, 2], vec![1], vec![1]]);
        assert_eq!(partition.classes, 3);
    }

    #[test]
    fn more_classes_than_numbers_is_an_error_with_the_number() {
        let many: Vec<_> = (0..70_000_u32)
            .map(|n| RangeSet::new(vec![(2 * n, 2 * n)]))
            .collect();
        assert_eq!(partition(many), Err(70_001));
    }

    proptest! {
        #[test]
        fn positions_share_a_class_iff_the_same_sets_hold_them(
            raw in proptest::collection::vec(
                proptest::collection::vec((0_u32..60, 0_u32..12), 0..6), 0..9)
        ) {
            let sets: Vec<RangeSet<u32>> = raw
                .iter()
                .map(|set| RangeSet::new(set.iter().map(|(at, len)| (*at, at + len)).collect()))
                .collect();
            let partition = partition(sets.clone()).expect("few classes");
            for position in 0..80 {
                let holding: Vec<usize> = (0..sets.len())
                    .filter(|set| sets[*set].covers(position, position))
                    .collect();
                let at = partition.ranges.partition_point(|range| range.0 <= position) - 1;
                let class = partition.ranges[at].1;
                let listed: Vec<usize> = (0..sets.len())
                    .filter(|set| partition.classes_of_set[*set].contains(&class))
                    .collect();
                prop_assert_eq!(holding, listed);
            }
            prop_assert!(partition.ranges.windows(2).all(|pair| pair[0].1 != pair[1].1));
        }
    }
}
