//! Conditions of rules on one header field: on sets, and the classes that satisfy them.

use std::{borrow::Cow, sync::Arc};

use hep_common::rule::DIMENSIONS;
use rustc_hash::FxHashMap;

use super::used::Used;
use crate::compile::sets::{
    position_set::{Identity, PositionSet},
    ranges::{Position, RangeSet},
    union::Union,
};

/// Number of a predicate within its space.
pub(crate) type PredicateId = u32;

/// Sets or predicates of earlier generations that may be left over.
const MAX_LEFT_OVER: usize = 1024;

/// The predicate that accepts everything, in every space.
pub(crate) const ANY: PredicateId = 0;

/// A predicate per dimension, by the number of the dimension. All must hold.
pub(crate) type Match = [PredicateId; DIMENSIONS];

/// The match of what matches everything.
pub(crate) const EVERYTHING: Match = [ANY; DIMENSIONS];

/// One condition: the field's value is in a set, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Term {
    /// Number of the set.
    pub(crate) set: u32,
    /// The value must not be in it.
    pub(crate) negated: bool,
}

/// Predicates, each a conjunction of terms, equal ones once. Their numbers last from generation to
/// generation.
#[derive(Debug)]
pub(crate) struct Predicates {
    terms: Vec<Vec<Term>>,
    by_terms: FxHashMap<Vec<Term>, PredicateId>,
    used: Used,
}

impl Default for Predicates {
    fn default() -> Self {
        Self {
            terms: vec![Vec::new()],
            by_terms: FxHashMap::from_iter([(Vec::new(), ANY)]),
            used: Used::default(),
        }
    }
}

impl Predicates {
    /// The number of the conjunction of `terms`.
    pub(crate) fn intern(&mut self, mut terms: Vec<Term>) -> PredicateId {
        terms.sort_unstable();
        terms.dedup();
        if let Some(&known) = self.by_terms.get(&terms) {
            return known;
        }
        let id = u32::try_from(self.terms.len()).expect("fewer predicates than rules in memory");
        self.terms.push(terms.clone());
        self.by_terms.insert(terms, id);
        id
    }

    /// The predicates that the generation uses.
    pub(crate) fn used(&self) -> &[PredicateId] {
        self.used.numbers()
    }

    /// Notes that a generation uses a predicate; returns its terms if it did not before.
    pub(crate) fn mark(&mut self, predicate: PredicateId) -> Option<&[Term]> {
        let is_new = self.used.mark(predicate);
        is_new.then(|| &*self.terms[predicate as usize])
    }
}

/// The classes that a predicate accepts; lists are ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Every class.
    All,
    /// These.
    Only(Vec<u16>),
    /// All but these.
    AllBut(Vec<u16>),
}

impl Accepted {
    /// Whether it accepts a class.
    pub(crate) fn holds(&self, class: usize) -> bool {
        let listed = |classes: &[u16]| {
            u16::try_from(class).is_ok_and(|class| classes.binary_search(&class).is_ok())
        };
        match self {
            Self::All => true,
            Self::Only(classes) => listed(classes),
            Self::AllBut(classes) => !listed(classes),
        }
    }
}

fn accepted<'c>(terms: &[Term], of_set: impl Fn(u32) -> &'c [u16], classes: usize) -> Accepted {
    let mut only: Option<Vec<u16>> = None;
    let mut except: Vec<u16> = Vec::new();
    for term in terms {
        let of_set = of_set(term.set);
        if term.negated {
            except.extend(of_set);
        } else {
            match &mut only {
                Some(only) => only.retain(|class| of_set.binary_search(class).is_ok()),
                None => only = Some(of_set.to_vec()),
            }
        }
    }
    except.sort_unstable();
    except.dedup();
    match only {
        Some(mut only) => {
            only.retain(|class| except.binary_search(class).is_err());
            if only.len() == classes {
                Accepted::All
            } else {
                Accepted::Only(only)
            }
        }
        None if except.is_empty() => Accepted::All,
        None => Accepted::AllBut(except),
    }
}

/// The classes of each set, ascending.
#[derive(Debug)]
pub(crate) struct SetClasses {
    /// Where those of each set begin.
    starts: Vec<usize>,
    classes: Vec<u16>,
}

impl SetClasses {
    /// Of `sets` sets; `held` are the classes, each with the numbers of the sets that hold it.
    pub(crate) fn new<'a, I>(sets: usize, held: impl Fn() -> I) -> Self
    where
        I: Iterator<Item = (u16, &'a [u32])>,
    {
        let mut starts = vec![0; sets + 2];
        for (_, holding) in held() {
            for set in holding {
                starts[*set as usize + 2] += 1;
            }
        }
        for set in 2..starts.len() {
            starts[set] += starts[set - 1];
        }
        let mut classes = vec![0; starts[sets + 1]];
        for (class, holding) in held() {
            for set in holding {
                let next = &mut starts[*set as usize + 1];
                classes[*next] = class;
                *next += 1;
            }
        }
        let mut all = Self { starts, classes };
        for set in 0..sets {
            let (first, end) = (all.starts[set], all.starts[set + 1]);
            all.classes[first..end].sort_unstable();
        }
        all
    }

    fn of(&self, set: u32) -> &[u16] {
        let set = set as usize;
        &self.classes[self.starts[set]..self.starts[set + 1]]
    }
}

/// The sets and predicates over one kind of positions. Numbers last from generation to generation.
#[derive(Debug)]
pub(crate) struct Space<T> {
    last: T,
    sets: Vec<PositionSet<T>>,
    by_identity: FxHashMap<Identity<T>, u32>,
    used: Used,
    /// Predicates over the sets.
    pub(crate) predicates: Predicates,
}

impl<T: Position> Space<T> {
    /// A space of the positions up to and including `last`.
    pub(crate) fn up_to(last: T) -> Self {
        Self {
            last,
            sets: Vec::new(),
            by_identity: FxHashMap::default(),
            used: Used::default(),
            predicates: Predicates::default(),
        }
    }

    /// Begins a generation, which uses no predicate yet.
    pub(crate) fn begin(&mut self) {
        self.used.clear();
        self.predicates.used.clear();
    }

    /// Notes that the generation uses a predicate.
    pub(crate) fn mark(&mut self, predicate: PredicateId) {
        for term in self.predicates.mark(predicate).unwrap_or_default() {
            self.used.mark(term.set);
        }
    }

    /// The numbers of the sets that the generation uses, ascending.
    pub(crate) fn used_numbers(&self) -> Vec<u32> {
        let mut numbers = self.used.numbers().to_vec();
        numbers.sort_unstable();
        numbers
    }

    /// The sets that the generation uses, by ascending number.
    pub(crate) fn used_sets(&self) -> Vec<(u32, &PositionSet<T>)> {
        let sets = self.used_numbers().into_iter();
        sets.map(|number| (number, &self.sets[number as usize]))
            .collect()
    }

    /// The members of some sets.
    pub(crate) fn ranges_of(&self, sets: &[u32]) -> Vec<Cow<'_, RangeSet<T>>> {
        let sets = sets.iter();
        sets.map(|number| self.sets[*number as usize].ranges())
            .collect()
    }

    /// The last position.
    pub(crate) const fn last(&self) -> T {
        self.last
    }

    /// Whether most of what it holds is of earlier generations.
    pub(crate) fn is_cluttered(&self) -> bool {
        self.sets.len() > 2 * self.used.numbers().len() + MAX_LEFT_OVER
            || self.predicates.terms.len()
                > 2 * self.predicates.used.numbers().len() + MAX_LEFT_OVER
    }

    /// The number of a set; equal sets have one number.
    pub(crate) fn set(&mut self, set: &Arc<RangeSet<T>>) -> u32 {
        self.add(PositionSet::of_ranges(Arc::clone(set)))
    }

    /// The number of the set of all addresses of some objects.
    pub(crate) fn set_of_objects(&mut self, union: &Union<T>) -> u32 {
        self.add(PositionSet::of_objects(union))
    }

    fn add(&mut self, set: PositionSet<T>) -> u32 {
        if let Some(&known) = self.by_identity.get(&set.identity) {
            // The same objects may have other addresses now.
            self.sets[known as usize] = set;
            return known;
        }
        let number = u32::try_from(self.sets.len()).expect("fewer sets than rules in memory");
        self.by_identity.insert(set.identity.clone(), number);
        self.sets.push(set);
        number
    }

    /// The sets, by number.
    pub(crate) fn sets(&self) -> &[PositionSet<T>] {
        &self.sets
    }

    /// The condition "in `set`", or `None` if that holds for every position.
    pub(crate) fn within(&self, set: u32) -> Option<Term> {
        let everything = self.sets[set as usize].is_all_up_to(self.last);
        (!everything).then_some(Term {
            set,
            negated: false,
        })
    }

    /// The predicate "in `set`".
    pub(crate) fn membership(&mut self, set: &Arc<RangeSet<T>>) -> PredicateId {
        let set = self.set(set);
        let term = self.within(set);
        self.predicates.intern(term.into_iter().collect())
    }
}

/// The classes that the predicates of a space accept.
#[derive(Debug, Default)]
pub(crate) struct Classified {
    /// By predicate; of those that are not used, anything.
    pub(crate) accepted: Vec<Arc<Accepted>>,
    /// Number of classes.
    pub(crate) classes: usize,
}

impl Classified {
    /// The classes that the used ones of `predicates` accept; those that are as in `former` are shared with
    /// it.
    pub(crate) fn new(
        predicates: &Predicates,
        of_sets: &SetClasses,
        classes: usize,
        former: &Self,
    ) -> Self {
        let of_set = |set| of_sets.of(set);
        Self::after(predicates, of_set, classes, former, (&[], |_set: u32| true))
    }

    /// The same, where `former` is right about the predicates in `known` unless a set of theirs
    /// `is_changed`; `of_set` gives the classes of a set.
    pub(crate) fn after<'c>(
        predicates: &Predicates,
        of_set: impl Fn(u32) -> &'c [u16],
        classes: usize,
        former: &Self,
        (known, is_changed): (&[PredicateId], impl Fn(u32) -> bool),
    ) -> Self {
        let all = Arc::new(Accepted::All);
        let mut is_known = vec![false; predicates.terms.len()];
        for predicate in known {
            is_known[*predicate as usize] = true;
        }
        let mut found = former.accepted.clone();
        found.resize(predicates.terms.len(), all);
        for predicate in predicates.used.numbers() {
            let at = *predicate as usize;
            let terms = &predicates.terms[at];
            if is_known[at] && !terms.iter().any(|term| is_changed(term.set)) {
                continue;
            }
            let accepted = accepted(terms, &of_set, classes);
            if *found[at] != accepted {
                found[at] = Arc::new(accepted);
            }
        }
        Self {
            accepted: found,
            classes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_intersected_and_negated_ones_subtracted() {
        let within = |set| Term {
            set,
            negated: false,
        };
        let outside = |set| Term { set, negated: true };
        // By class: sets of 1, 2, 3; of 2, 3, 4; of none; of all.
        let held: [&[u32]; 5] = [&[3], &[0, 3], &[0, 1, 3], &[0, 1, 3], &[1, 3]];
        let sets = SetClasses::new(4, || (0_u16..).zip(held));
        let rows: [(&[Term], Accepted); 8] = [
            (&[], Accepted::All),
            (&[within(0)], Accepted::Only(vec![1, 2, 3])),
            (&[within(0), within(1)], Accepted::Only(vec![2, 3])),
            (&[within(0), outside(1)], Accepted::Only(vec![1])),
            (
                &[outside(0), outside(1)],
                Accepted::AllBut(vec![1, 2, 3, 4]),
            ),
            (&[within(2)], Accepted::Only(vec![])),
            (&[outside(2)], Accepted::All),
            (&[within(3)], Accepted::All),
        ];
        for (terms, expected) in rows {
            assert_eq!(
                accepted(terms, |set| sets.of(set), 5),
                expected,
                "{terms:?}"
            );
        }
    }
}
