//! Classes of ports and services, which keep their numbers from generation to generation.
//!
//! Few sets come or go at once: the positions in these move to other classes, and nothing else changes.

use std::sync::Arc;

use hep_common::port::{PORTS_PER_BLOCK, PortClasses};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    partition::{MAX_CLASSES, Partition, partition},
    predicates::{Classified, PredicateId, Space},
};
use crate::compile::segments::Segments;

/// Numbers that no class has, above which all classes are numbered again.
const MAX_UNUSED: usize = 256;
/// Classes that may come before all positions are partitioned again.
const MAX_NEW: usize = 128;
/// Most sets that may come and go, and most ranges that may move, without a partition of everything.
const MAX_CHANGED: usize = 1024;

/// The classes of one header field, and their table.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    /// The sets of the generation, ascending.
    sets: Vec<u32>,
    /// The predicates of the generation.
    predicates: Vec<PredicateId>,
    /// Where each range of positions begins, and its class.
    ranges: Vec<(u32, u16)>,
    /// The sets that hold a class, by its number; of numbers that no class has, those that held it last.
    signatures: Vec<Box<[u32]>>,
    /// Classes by the sets that hold them: those of the last partition, and those that came since.
    class_of: FxHashMap<Box<[u32]>, u16>,
    /// Numbers that no class has.
    free: Vec<u16>,
    /// How many classes came since the last partition.
    new: usize,
    /// The classes of each set, ascending.
    of_set: FxHashMap<u32, Vec<u16>>,
    pub(crate) classified: Arc<Classified>,
    pub(crate) table: Segments<PortClasses>,
}

impl Numbered {
    /// The classes of the sets that the generation uses; those that were there before keep their numbers.
    /// `table` makes the table of a partition.
    ///
    /// # Errors
    ///
    /// The number of classes, if there are too many.
    pub(crate) fn renew(
        &mut self,
        space: &Space<u32>,
        table: impl Fn(&Partition<u32>) -> Vec<PortClasses>,
    ) -> Result<(), usize> {
        let sets = space.used_numbers();
        let used = space.predicates.used();
        if !self.table.is_empty() && sets == self.sets && used == self.predicates {
            return Ok(());
        }
        let changed = if self.table.is_empty() {
            None
        } else {
            self.patch(space, &sets)
        };
        let (former, known) = match &changed {
            Some(_) => (&*self.classified, &*self.predicates),
            None => {
                let partition = partition(space.ranges_of(&sets))?;
                self.sets.clone_from(&sets);
                self.restart(partition, table);
                (&*self.classified, [].as_slice())
            }
        };
        let of_set = |set| self.of_set.get(&set).map_or([].as_slice(), Vec::as_slice);
        let is_changed = |set| changed.as_ref().is_none_or(|sets| sets.contains(&set));
        let classes = self.signatures.len();
        let classified = Classified::after(
            &space.predicates,
            of_set,
            classes,
            former,
            (known, is_changed),
        );
        self.classified = Arc::new(classified);
        self.predicates = used.to_vec();
        self.sets = sets;
        Ok(())
    }

    /// Moves the positions of the sets that came or went since the last generation to other classes, and
    /// returns the sets that got classes; `None` if that is better made from nothing.
    fn patch(&mut self, space: &Space<u32>, sets: &[u32]) -> Option<FxHashSet<u32>> {
        let is_in = |sets: &[u32], set: &u32| sets.binary_search(set).is_ok();
        let gone = self.sets.iter().filter(|set| !is_in(sets, set));
        let come = sets.iter().filter(|set| !is_in(&self.sets, set));
        let gone = gone.map(|set| (*set, false));
        let changed: Vec<(u32, bool)> = gone.chain(come.map(|set| (*set, true))).collect();
        let mut changed_sets = FxHashSet::default();
        let mut budget = MAX_CHANGED.checked_sub(changed.len())?;
        for (set, is_held) in changed {
            for &(first, last) in space.sets()[set as usize].ranges().as_slice() {
                self.split(first);
                if last < space.last() {
                    self.split(last + 1);
                }
                let mut at = self.ranges.partition_point(|range| range.0 < first);
                while let Some(&(start, class)) = self.ranges.get(at).filter(|at| at.0 <= last) {
                    budget = budget.checked_sub(1)?;
                    let end = self.ranges.get(at + 1).map_or(last, |next| next.0 - 1);
                    let class = self.moved(class, set, is_held, &mut changed_sets)?;
                    self.ranges[at].1 = class;
                    self.write((start, end), class, space.last() + 1);
                    at += 1;
                }
            }
        }
        Some(changed_sets)
    }

    /// Makes a position the first of a range.
    fn split(&mut self, position: u32) {
        let at = self.ranges.partition_point(|range| range.0 <= position);
        let (start, class) = self.ranges[at - 1];
        if start < position {
            self.ranges.insert(at, (position, class));
        }
    }

    /// The class like `class`, but that `set` holds it or does not; `None` if there are too many.
    fn moved(
        &mut self,
        class: u16,
        set: u32,
        is_held: bool,
        changed_sets: &mut FxHashSet<u32>,
    ) -> Option<u16> {
        let before = self.signatures[usize::from(class)].iter().copied();
        let mut signature: Vec<u32> = before.filter(|other| *other != set).collect();
        if is_held {
            let place = signature.partition_point(|other| *other < set);
            signature.insert(place, set);
        }
        if let Some(&known) = self.class_of.get(&*signature) {
            return Some(known);
        }
        if self.new == MAX_NEW {
            return None;
        }
        let next = u16::try_from(self.signatures.len()).ok();
        let next = next.filter(|next| usize::from(*next) < MAX_CLASSES);
        let class = self.free.pop().or(next)?;
        self.new += 1;
        for set in &signature {
            let classes = self.of_set.entry(*set).or_default();
            let place = classes.partition_point(|other| *other < class);
            classes.insert(place, class);
            changed_sets.insert(*set);
        }
        self.give(class, signature.into());
        Some(class)
    }

    /// Gives a number to the class of a signature.
    fn give(&mut self, class: u16, signature: Box<[u32]>) {
        let at = usize::from(class);
        if at >= self.signatures.len() {
            self.signatures.resize(at + 1, Box::default());
        }
        self.signatures[at].clone_from(&signature);
        self.class_of.insert(signature, class);
    }

    /// Writes a class into the table, which repeats after `period` positions.
    fn write(&mut self, (first, last): (u32, u32), class: u16, period: u32) {
        let blocks = u32::try_from(self.table.len()).expect("fewer blocks than positions");
        for base in (0..blocks * PORTS_PER_BLOCK).step_by(period as usize) {
            let (first, last) = (base + first, base + last);
            for block in first / PORTS_PER_BLOCK..=last / PORTS_PER_BLOCK {
                let start = block * PORTS_PER_BLOCK;
                let mut classes = self.table[block as usize];
                let from = first.max(start) - start;
                let to = last.min(start + PORTS_PER_BLOCK - 1) - start;
                classes.classes[from as usize..=to as usize].fill(class);
                self.table.write(block as usize, &[classes]);
            }
        }
    }

    /// Begins again with a partition of the sets of the generation.
    fn restart(
        &mut self,
        mut partition: Partition<u32>,
        table: impl Fn(&Partition<u32>) -> Vec<PortClasses>,
    ) {
        let classes = self.number(&partition);
        let class = |class: &u16| classes[usize::from(*class)];
        let of_sets = self.sets.iter().zip(&partition.classes_of_set);
        self.of_set = of_sets
            .map(|(set, classes)| {
                let mut classes: Vec<u16> = classes.iter().map(class).collect();
                classes.sort_unstable();
                (*set, classes)
            })
            .collect();
        for (_, place) in &mut partition.ranges {
            *place = class(place);
        }
        self.table = table(&partition).into();
        self.ranges = partition.ranges;
        self.new = 0;
    }

    /// The numbers of a partition's classes.
    fn number(&mut self, partition: &Partition<u32>) -> Vec<u16> {
        let mut signatures = vec![Vec::new(); partition.classes];
        for (set, classes) in self.sets.iter().zip(&partition.classes_of_set) {
            for class in classes {
                signatures[usize::from(*class)].push(*set);
            }
        }
        let known = signatures.iter().map(|sets| self.class_of.get(&**sets));
        let mut numbers: Vec<Option<u16>> = known.map(Option::<&u16>::copied).collect();
        let mut is_taken = vec![false; self.signatures.len()];
        for number in numbers.iter().flatten() {
            is_taken[usize::from(*number)] = true;
        }
        let new = numbers.iter().filter(|number| number.is_none()).count();
        let free = (0_u16..).zip(&is_taken);
        let free = free.filter_map(|(number, taken)| (!taken).then_some(number));
        self.free = free.collect();
        if self.free.len() > new + MAX_UNUSED {
            self.signatures.clear();
            self.free.clear();
            numbers.fill(None);
        }
        // The lowest number is the first to be given.
        self.free.reverse();
        let mut next = u16::try_from(self.signatures.len()).unwrap_or(u16::MAX)..;
        self.class_of.clear();
        let mut given = Vec::with_capacity(signatures.len());
        for (signature, known) in signatures.into_iter().zip(numbers) {
            let number = known.or_else(|| self.free.pop()).or_else(|| next.next());
            let number = number.expect("as many classes as a partition may have");
            self.give(number, signature.into());
            given.push(number);
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compile::sets::ranges::RangeSet;

    /// Twice as many as positions are in a table of two copies.
    const POSITIONS: u32 = 4 * PORTS_PER_BLOCK;

    fn table(partition: &Partition<u32>) -> Vec<PortClasses> {
        let class = |position: u32| {
            let after = partition
                .ranges
                .partition_point(|range| range.0 <= position % POSITIONS);
            partition.ranges[after - 1].1
        };
        let blocks = (0..2 * POSITIONS).step_by(PORTS_PER_BLOCK as usize);
        blocks
            .map(|first| {
                let mut block = PortClasses::default();
                for (place, position) in block.classes.iter_mut().zip(first..) {
                    *place = class(position);
                }
                block
            })
            .collect()
    }

    /// A generation with the predicates "in the set" for each of `sets`.
    fn renew(numbered: &mut Numbered, space: &mut Space<u32>, sets: &[RangeSet<u32>]) {
        let sets = sets.iter().map(|set| Arc::new(set.clone()));
        let predicates: Vec<PredicateId> = sets.map(|set| space.membership(&set)).collect();
        space.begin();
        for predicate in predicates {
            space.mark(predicate);
        }
        numbered.renew(space, table).expect("few classes");
    }

    fn some_set() -> impl Strategy<Value = RangeSet<u32>> {
        let range = (0..POSITIONS, 0..20_u32);
        let range = range.prop_map(|(first, more)| (first, (first + more).min(POSITIONS - 1)));
        proptest::collection::vec(range, 0..3).prop_map(RangeSet::new)
    }

    proptest! {
        #[test]
        fn every_position_keeps_a_class_of_exactly_its_sets(
            all in proptest::collection::vec(some_set(), 6..20),
            steps in proptest::collection::vec(any::<u32>(), 1..40),
        ) {
            let mut space = Space::up_to(POSITIONS - 1);
            let mut numbered = Numbered::default();
            for step in steps {
                let held = |number: &usize| step & 1 << number != 0;
                let sets = (0..all.len()).filter(held).map(|number| all[number].clone());
                let sets: Vec<RangeSet<u32>> = sets.collect();
                renew(&mut numbered, &mut space, &sets);
                for set in sets {
                    let predicate = space.membership(&Arc::new(set.clone()));
                    let accepted = &numbered.classified.accepted[predicate as usize];
                    for position in 0..2 * POSITIONS {
                        let block = numbered.table[(position / PORTS_PER_BLOCK) as usize];
                        let class = block.classes[(position % PORTS_PER_BLOCK) as usize];
                        prop_assert!(usize::from(class) < numbered.classified.classes);
                        let position = position % POSITIONS;
                        let is_in = set.covers(position, position);
                        prop_assert_eq!(accepted.holds(usize::from(class)), is_in);
                    }
                }
            }
        }
    }

    #[test]
    fn a_set_that_comes_and_goes_changes_its_positions_alone() {
        let set = |first, last| RangeSet::new(vec![(first, last)]);
        let mut space = Space::up_to(POSITIONS - 1);
        let mut numbered = Numbered::default();
        renew(&mut numbered, &mut space, &[set(1, 9), set(40, 90)]);
        for round in 0..1000 {
            let before = numbered.table.clone();
            let port = 33 + round % 5;
            renew(
                &mut numbered,
                &mut space,
                &[set(1, 9), set(40, 90), set(port, port)],
            );
            for position in (0..2 * POSITIONS).filter(|at| !(33..38).contains(&(at % POSITIONS))) {
                let (block, place) = (position / PORTS_PER_BLOCK, position % PORTS_PER_BLOCK);
                let class =
                    |table: &Segments<PortClasses>| table[block as usize].classes[place as usize];
                assert_eq!(class(&before), class(&numbered.table), "{position}");
            }
        }
        assert!(
            numbered.signatures.len() < 12,
            "{}",
            numbered.signatures.len()
        );
    }
}
