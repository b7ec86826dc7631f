//! The address classes of one family, from generation to generation.
//!
//! Each set is compared with the one of the same identity before, and only the addresses that changed are
//! sorted into classes again. Classes keep their numbers, so that all other ranges keep their bytes. Where
//! much changed, or much is left over from earlier generations, everything is rebuilt from nothing.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    partition::{MAX_CLASSES, partition},
    predicates::{Classified, SetClasses, Space},
};
use crate::compile::{
    address::{Boundary, Layout},
    sets::{
        position_set::{Identity, PositionSet},
        ranges::Position,
    },
};

/// Most networks that may be added and removed without a load from nothing.
const MAX_CHANGED: usize = 2048;
/// Most look-ups of sets around changed networks.
const MAX_LOOKUPS: usize = 1 << 19;
/// Classes, and sets that are no more, that may be left over.
const MAX_LEFT_OVER: usize = 256;

/// Sets with their numbers in signatures, by identity.
type Sets<T> = FxHashMap<Identity<T>, (u32, PositionSet<T>)>;

/// One family's tables, and what they were made of.
#[derive(Debug)]
pub(crate) struct Addresses<L: Layout> {
    pub(crate) layout: L,
    /// The sets at this generation, to compare the next ones with.
    sets: Sets<L::Address>,
    numbers: u32,
    signatures: Arc<Signatures>,
    /// Classes when everything was made from nothing.
    base: usize,
    /// The classes of each predicate.
    pub(crate) classified: Arc<Classified>,
    /// The tables were made from those of the previous generation.
    pub(crate) is_continued: bool,
}

/// By class, the numbers of the sets that hold its addresses, ascending.
#[derive(Clone, Debug, Default)]
struct Signatures {
    of_class: Vec<Box<[u32]>>,
    class_of: FxHashMap<Box<[u32]>, u16>,
}

impl Signatures {
    /// The class of this signature; `None` if there are too many.
    fn class(this: &mut Arc<Self>, signature: &[u32]) -> Option<u16> {
        if let Some(class) = this.class_of.get(signature) {
            return Some(*class);
        }
        if this.of_class.len() == MAX_CLASSES {
            return None;
        }
        let class = u16::try_from(this.of_class.len()).ok()?;
        let this = Arc::make_mut(this);
        this.of_class.push(signature.into());
        this.class_of.insert(signature.into(), class);
        Some(class)
    }

    /// Has the set `copy`, whose number is above all others, hold what the set `original` holds.
    fn duplicate(&mut self, original: u32, copy: u32) {
        for signature in &mut self.of_class {
            if signature.binary_search(&original).is_ok() {
                *signature = signature.iter().copied().chain([copy]).collect();
            }
        }
        self.class_of = self.of_class.iter().cloned().zip(0..).collect();
    }
}

/// Gives the sets of a generation their numbers in signatures.
struct Numbering<'a, L: Layout> {
    former: &'a Addresses<L>,
    /// Numbers that sets have.
    taken: FxHashSet<u32>,
    next: u32,
    signatures: Arc<Signatures>,
}

impl<'a, L: Layout> Numbering<'a, L> {
    /// Sets that the previous generation has, too, keep their numbers, whatever the order of `sets`.
    fn new(former: &'a Addresses<L>, sets: &[(u32, &PositionSet<L::Address>)]) -> Self {
        let sets = sets.iter();
        let kept = sets.filter_map(|(_, set)| former.sets.get(&set.identity));
        Self {
            former,
            taken: kept.map(|(number, _)| *number).collect(),
            next: former.numbers,
            signatures: Arc::clone(&former.signatures),
        }
    }

    /// The number of a set, and the previous set that the signatures with this number are about: the same
    /// set, or the one that it was made from. If another set has taken that number, this one gets a new
    /// number and a copy of the signatures.
    fn of(&mut self, set: &PositionSet<L::Address>) -> (u32, Option<&'a PositionSet<L::Address>>) {
        let sets = &self.former.sets;
        if let Some((number, former)) = sets.get(&set.identity) {
            return (*number, Some(former));
        }
        let origin = set.former.as_ref().and_then(|origin| sets.get(origin));
        if let Some((number, former)) = origin
            && self.taken.insert(*number)
        {
            return (*number, Some(former));
        }
        let number = self.next;
        self.next += 1;
        let former = origin.map(|(original, former)| {
            Arc::make_mut(&mut self.signatures).duplicate(*original, number);
            former
        });
        (number, former)
    }
}

impl<L> Addresses<L>
where
    L: Layout,
    L::Address: Position,
{
    /// Sorts the addresses into classes; as few as possible are sorted again.
    ///
    /// # Errors
    ///
    /// The number of classes, if there are too many.
    pub(crate) fn new(space: &Space<L::Address>, former: Option<&Self>) -> Result<Self, usize> {
        let sets = space.used_sets();
        let mut addresses = match former.and_then(|former| former.next(&sets)) {
            Some(next) => next,
            None => Self::from_nothing(&sets)?,
        };
        let known = former.map(|former| &*former.classified);
        let classified = addresses.classify(space, &sets, known.unwrap_or(&Classified::default()));
        addresses.classified = Arc::new(classified);
        Ok(addresses)
    }

    fn from_nothing(sets: &[(u32, &PositionSet<L::Address>)]) -> Result<Self, usize> {
        let partition = partition(sets.iter().map(|(_, set)| set.ranges()).collect())?;
        let mut of_class = vec![Vec::new(); partition.classes];
        for (number, classes) in (0..).zip(&partition.classes_of_set) {
            for class in classes {
                of_class[usize::from(*class)].push(number);
            }
        }
        let of_class: Vec<Box<[u32]>> = of_class.into_iter().map(Vec::into).collect();
        let class_of = of_class.iter().cloned().zip(0..).collect();
        let sets: Sets<_> = (0..)
            .zip(sets)
            .map(|(number, (_, set))| (set.identity.clone(), (number, (*set).clone())))
            .collect();
        Ok(Self {
            layout: L::new(&partition.ranges),
            numbers: u32::try_from(sets.len()).expect("fewer sets than rules in memory"),
            sets,
            base: of_class.len(),
            is_continued: false,
            signatures: Arc::new(Signatures { of_class, class_of }),
            classified: Arc::default(),
        })
    }

    /// These addresses with what changed; `None` if they are better made from nothing.
    fn next(&self, used: &[(u32, &PositionSet<L::Address>)]) -> Option<Self> {
        let mut numbers = Numbering::new(self, used);
        let mut sets = FxHashMap::default();
        let mut numbered = Vec::with_capacity(used.len());
        let mut changed = Vec::new();
        for &(_, set) in used {
            let limit = MAX_CHANGED.checked_sub(changed.len())?;
            let (number, former) = numbers.of(set);
            changed.extend(match former {
                Some(former) => set.changed(former, limit)?,
                None => set.few(limit)?,
            });
            sets.insert(set.identity.clone(), (number, set.clone()));
            numbered.push((number, set));
        }
        let Numbering {
            next,
            mut signatures,
            ..
        } = numbers;
        let left_over = (next as usize).saturating_sub(2 * numbered.len());
        if left_over > MAX_LEFT_OVER || changed.len() * numbered.len() > MAX_LOOKUPS {
            return None;
        }
        let changed = crate::compile::sets::ranges::RangeSet::new(changed);
        let layout = self
            .layout
            .changed(changed.as_slice(), &mut |first, last| {
                sweep(&numbered, &mut signatures, first, last)
            })?;
        if signatures.of_class.len() > 2 * self.base + MAX_LEFT_OVER {
            return None;
        }
        Some(Self {
            layout,
            sets,
            numbers: next,
            signatures,
            base: self.base,
            is_continued: true,
            classified: Arc::default(),
        })
    }

    /// The classes of each predicate; `sets` are those in use.
    fn classify(
        &self,
        space: &Space<L::Address>,
        sets: &[(u32, &PositionSet<L::Address>)],
        former: &Classified,
    ) -> Classified {
        let mut set_of_number = vec![None; self.numbers as usize];
        for (at, set) in sets {
            if let Some((number, _)) = self.sets.get(&set.identity) {
                set_of_number[*number as usize] = Some(*at);
            }
        }
        let of_class: Vec<Vec<u32>> = self
            .signatures
            .of_class
            .iter()
            .map(|signature| {
                let numbers = signature.iter();
                numbers
                    .filter_map(|number| set_of_number[*number as usize])
                    .collect()
            })
            .collect();
        let held = || (0_u16..).zip(of_class.iter().map(Vec::as_slice));
        let of_sets = SetClasses::new(space.sets().len(), held);
        Classified::new(&space.predicates, &of_sets, of_class.len(), former)
    }
}

/// The boundaries between two addresses, the first of them at the first address; `None` if there are
/// too many classes.
fn sweep<T: Position>(
    sets: &[(u32, &PositionSet<T>)],
    signatures: &mut Arc<Signatures>,
    first: T,
    last: T,
) -> Option<Vec<Boundary<T>>> {
    let mut steps = Vec::new();
    for (number, set) in sets {
        for &(start, end) in set.between(first, last).as_slice() {
            steps.push((start, *number));
            if let Some(next) = end.above()
                && end < last
            {
                steps.push((next, *number));
            }
        }
    }
    steps.sort_unstable();
    let mut signature = Vec::new();
    let mut boundaries = Vec::with_capacity(steps.len() + 1);
    if steps.first().is_none_or(|step| step.0 != first) {
        boundaries.push((first, Signatures::class(signatures, &[])?));
    }
    for at_once in steps.chunk_by(|a, b| a.0 == b.0) {
        for (_, number) in at_once {
            match signature.binary_search(number) {
                Ok(place) => drop(signature.remove(place)),
                Err(place) => signature.insert(place, *number),
            }
        }
        let class = Signatures::class(signatures, &signature)?;
        if boundaries.last().is_none_or(|before| before.1 != class) {
            boundaries.push((at_once[0].0, class));
        }
    }
    Some(boundaries)
}
