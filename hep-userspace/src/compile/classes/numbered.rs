//! Classes of ports and services, which keep their numbers from generation to generation.

use std::sync::Arc;

use hep_common::port::PortClasses;
use rustc_hash::FxHashMap;

use super::{
    partition::{Partition, partition},
    predicates::{Classified, SetClasses, Space},
};

/// Numbers that no class has, above which all classes are numbered again.
const MAX_UNUSED: usize = 256;

/// The classes of one header field, and their table.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    /// The sets of the generation, ascending.
    sets: Vec<u32>,
    /// The sets that hold a class, by its number; of numbers that no class has, those that held it last.
    signatures: Vec<Box<[u32]>>,
    class_of: FxHashMap<Box<[u32]>, u16>,
    pub(crate) classified: Arc<Classified>,
    pub(crate) table: Arc<Vec<PortClasses>>,
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
        let (numbers, sets): (Vec<u32>, Vec<_>) = space
            .used_sets()
            .into_iter()
            .map(|(number, set)| (number, set.ranges()))
            .unzip();
        if self.table.is_empty() || numbers != self.sets {
            let mut partition = partition(sets)?;
            self.sets = numbers;
            let classes = self.number(&partition);
            for (_, class) in &mut partition.ranges {
                *class = classes[usize::from(*class)];
            }
            self.table = Arc::new(table(&partition));
        }
        let signatures = self.class_of.iter();
        let held = || signatures.clone().map(|(sets, class)| (*class, &**sets));
        let classes = SetClasses::new(space.sets().len(), held);
        let classified = Classified::new(
            &space.predicates,
            &classes,
            self.signatures.len(),
            &self.classified,
        );
        self.classified = Arc::new(classified);
        Ok(())
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
        let free: Vec<u16> = (0_u16..)
            .zip(&is_taken)
            .filter_map(|(number, taken)| (!taken).then_some(number))
            .collect();
        if free.len() > new + MAX_UNUSED {
            self.signatures.clear();
            numbers.fill(None);
        }
        let first = u16::try_from(self.signatures.len()).unwrap_or(u16::MAX);
        let free = free.into_iter().filter(|number| *number < first);
        let mut next = free.chain(first..);
        self.class_of.clear();
        let mut given = Vec::with_capacity(signatures.len());
        for (signature, known) in signatures.into_iter().zip(numbers) {
            let number = known.or_else(|| next.next());
            let number = number.expect("as many classes as a partition may have");
            let signature: Box<[u32]> = signature.into();
            let at = usize::from(number);
            if at >= self.signatures.len() {
                self.signatures.resize(at + 1, Box::default());
            }
            self.signatures[at].clone_from(&signature);
            self.class_of.insert(signature, number);
            given.push(number);
        }
        given
    }
}
