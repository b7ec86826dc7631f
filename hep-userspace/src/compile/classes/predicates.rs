//! Conditions of rules on one header field: on sets, and the classes that satisfy them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::partition::{Partition, partition};
use crate::compile::sets::{
    position_set::{Identity, PositionSet},
    ranges::{Position, RangeSet},
    union::Union,
};

/// Number of a predicate within its space.
pub(crate) type PredicateId = u32;

/// The predicate that accepts everything, in every space.
pub(crate) const ANY: PredicateId = 0;

/// One condition: the field's value is in a set, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Term {
    /// Number of the set.
    pub(crate) set: u32,
    /// The value must not be in it.
    pub(crate) negated: bool,
}

/// Predicates, each a conjunction of terms, equal ones once.
#[derive(Debug)]
pub(crate) struct Predicates {
    terms: Vec<Vec<Term>>,
    by_terms: FxHashMap<Vec<Term>, PredicateId>,
}

impl Default for Predicates {
    fn default() -> Self {
        Self {
            terms: vec![Vec::new()],
            by_terms: FxHashMap::from_iter([(Vec::new(), ANY)]),
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

    /// The classes that each predicate accepts.
    pub(crate) fn accepted(&self, classes_of_set: &[Vec<u16>], classes: usize) -> Vec<Accepted> {
        self.terms
            .iter()
            .map(|terms| accepted(terms, classes_of_set, classes))
            .collect()
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

fn accepted(terms: &[Term], classes_of_set: &[Vec<u16>], classes: usize) -> Accepted {
    let mut only: Option<Vec<u16>> = None;
    let mut except: Vec<u16> = Vec::new();
    for term in terms {
        let of_set = &classes_of_set[term.set as usize];
        if term.negated {
            except.extend(of_set);
        } else {
            match &mut only {
                Some(only) => only.retain(|class| of_set.binary_search(class).is_ok()),
                None => only = Some(of_set.clone()),
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

/// The sets and predicates over one kind of positions.
#[derive(Debug)]
pub(crate) struct Space<T> {
    last: T,
    sets: Vec<PositionSet<T>>,
    by_identity: FxHashMap<Identity<T>, u32>,
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
            predicates: Predicates::default(),
        }
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

    /// The coarsest partition of which every set is a union of classes.
    ///
    /// # Errors
    ///
    /// The number of classes, if there are too many.
    pub(crate) fn partition(&self) -> Result<Partition<T>, usize> {
        partition(self.sets.iter().map(PositionSet::ranges).collect())
    }
}

/// A space with its classes.
#[derive(Debug)]
pub(crate) struct Classified {
    /// By predicate.
    pub(crate) accepted: Vec<Accepted>,
    /// Number of classes.
    pub(crate) classes: usize,
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
        let sets = [
            vec![1, 2, 3],
            vec![2, 3, 4],
            Vec::new(),
            vec![0, 1, 2, 3, 4],
        ];
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
            assert_eq!(accepted(terms, &sets, 5), expected, "{terms:?}");
        }
    }
}
