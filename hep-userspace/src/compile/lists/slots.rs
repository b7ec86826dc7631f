//! Counter slots of rules and interfaces: stable across generations, so that counters and flows
//! keep what they belong to.

use std::{collections::BTreeMap, sync::Arc};

use hep_common::counter::{COUNTERS_PER_PIECE, MAX_RULE_SLOTS, RULE_SLOTS_PER_PIECE};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::compile::CompileError;

/// Who has which slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slots {
    /// Slots of rules, by identity: a text of everything that makes a rule that rule (stage,
    /// direction, kind, policy, place and content). Slot 0 is never given.
    pub rules: Numbers,
    /// Pairs of `COUNTERS` entries, by name of the interface; 0 is the first pair.
    pub interfaces: Numbers,
}

/// Numbers given to names. A number that was given back is the last to be given again, so that what
/// still bears the old meaning (a counter, a flow) is not read with the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Numbers {
    /// Number by name; generations of the same names share it.
    pub taken: Arc<BTreeMap<Arc<str>, u32>>,
    /// Every number below this one was given at some time.
    pub unused_from: u32,
    /// Numbers that were given back, in that order.
    pub freed: Vec<u32>,
    /// Numbers whose owner is new in this generation and not the first: what they count must start
    /// from zero.
    pub reused: Vec<u32>,
}

/// The names of the next generation, compared with those that have numbers.
#[derive(Debug, Default)]
pub(crate) struct Claims<'n> {
    /// In the order of the names: the number that each has; anything for new ones.
    pub(crate) numbers: Vec<u32>,
    /// New names, with their places among all.
    pub(crate) new: Vec<(usize, &'n Arc<str>)>,
    /// Names that are no more, with their numbers, in the order of the names.
    pub(crate) lost: Vec<(Arc<str>, u32)>,
}

impl Numbers {
    /// Compares the names of the next generation with those that have numbers.
    pub(crate) fn claims<'n>(
        &self,
        names: impl ExactSizeIterator<Item = &'n Arc<str>>,
    ) -> Claims<'n> {
        let mut known: FxHashMap<&str, u32> = FxHashMap::default();
        known.extend(self.taken.iter().map(|(name, number)| (&**name, *number)));
        let mut claims = Claims {
            numbers: Vec::with_capacity(names.len()),
            ..Claims::default()
        };
        let mut kept = FxHashSet::default();
        for name in names {
            let number = known.get(&**name).copied();
            if number.is_none() {
                claims.new.push((claims.numbers.len(), name));
            }
            kept.extend(number);
            claims.numbers.push(number.unwrap_or_default());
        }
        let lost = self.taken.iter();
        let lost = lost.filter(|(_, number)| !kept.contains(number));
        claims.lost = lost
            .map(|(name, number)| (Arc::clone(name), *number))
            .collect();
        claims
    }

    /// The numbers of the next generation, in the order of its names: those that had one keep it, the
    /// others get numbers never used, then those freed longest ago. Numbers are at least `first` and less
    /// than `limit`; `None` if they do not suffice. As counters take memory in pieces of `piece`, no piece
    /// is begun as long as those begun have twice as many numbers as there are names.
    fn renew(
        &self,
        claims: Claims<'_>,
        first: u32,
        limit: u32,
        piece: u32,
    ) -> Option<(Self, Vec<u32>)> {
        let Claims {
            mut numbers,
            new,
            lost,
        } = claims;
        let ample = u32::try_from(2 * numbers.len()).unwrap_or(u32::MAX);
        let space = ample
            .max(self.unused_from)
            .max(first.saturating_add(1))
            .div_ceil(piece)
            .saturating_mul(piece)
            .min(limit);
        let mut taken = Arc::clone(&self.taken);
        for (name, _) in &lost {
            Arc::make_mut(&mut taken).remove(name);
        }
        let lost = lost.iter().map(|(_, number)| *number);
        let freed: Vec<u32> = self.freed.iter().copied().chain(lost).collect();
        let mut freed = freed.into_iter();
        let mut unused = self.unused_from.max(first)..space;
        let mut reused = Vec::new();
        for (place, name) in new {
            let number = unused.next().or_else(|| {
                let number = freed.next()?;
                reused.push(number);
                Some(number)
            })?;
            numbers[place] = number;
            Arc::make_mut(&mut taken).insert(Arc::clone(name), number);
        }
        let renewed = Self {
            taken,
            unused_from: unused.start,
            freed: freed.collect(),
            reused,
        };
        Some((renewed, numbers))
    }
}

impl Slots {
    /// The slots of the next generation, and those of its `rules` in their order, each named once.
    ///
    /// # Errors
    ///
    /// [`CompileError::TooManySlots`] and [`CompileError::TooManyInterfaces`].
    pub(crate) fn renew<'n>(
        &self,
        rules: Claims<'n>,
        interfaces: &[&'n Arc<str>],
        max_interfaces: u32,
    ) -> Result<(Self, Vec<u32>), CompileError> {
        let slots = rules.numbers.len();
        let (rules, slot_of) = self
            .rules
            .renew(rules, 1, MAX_RULE_SLOTS, RULE_SLOTS_PER_PIECE)
            .ok_or(CompileError::TooManySlots {
                slots,
                limit: MAX_RULE_SLOTS as usize - 1,
            })?;
        let claims = self.interfaces.claims(interfaces.iter().copied());
        let (interfaces, _) = self
            .interfaces
            .renew(claims, 0, max_interfaces, COUNTERS_PER_PIECE / 2)
            .ok_or(CompileError::TooManyInterfaces {
                interfaces: interfaces.len(),
                limit: max_interfaces as usize,
            })?;
        Ok((Self { rules, interfaces }, slot_of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(names: &[impl AsRef<str>]) -> Vec<Arc<str>> {
        names.iter().map(|name| name.as_ref().into()).collect()
    }

    fn renew(numbers: &Numbers, names: &[&str]) -> Option<Numbers> {
        let given = shared(names);
        let (renewed, given) = numbers.renew(numbers.claims(given.iter()), 1, 5, 8)?;
        let expected: Vec<u32> = names.iter().map(|name| renewed.taken[*name]).collect();
        assert_eq!(given, expected);
        Some(renewed)
    }

    /// Names of which none has a number.
    fn new<'n>(names: &[&'n Arc<str>]) -> Claims<'n> {
        Numbers::default().claims(names.iter().copied())
    }

    fn taken(numbers: &Numbers) -> Vec<(&str, u32)> {
        numbers
            .taken
            .iter()
            .map(|(name, number)| (&**name, *number))
            .collect()
    }

    #[test]
    fn so_many_rules_may_have_a_counter() {
        let names: Vec<String> = (0..MAX_RULE_SLOTS)
            .map(|number| number.to_string())
            .collect();
        let names = shared(&names);
        let names: Vec<&Arc<str>> = names.iter().collect();
        let refused = Slots::default()
            .renew(new(&names), &[], 1)
            .expect_err("past the limit");
        assert_eq!(
            refused.to_string(),
            "131072 rules and defaults need a counter; the limit is 131071"
        );
        assert!(Slots::default().renew(new(&names[1..]), &[], 1).is_ok());
    }

    #[test]
    fn names_keep_their_numbers_and_new_ones_get_numbers_never_used() {
        let first = renew(&Numbers::default(), &["a", "b"]).expect("room");
        assert_eq!(taken(&first), [("a", 1), ("b", 2)]);
        let second = renew(&first, &["b", "c"]).expect("room");
        assert_eq!(taken(&second), [("b", 2), ("c", 3)]);
        assert_eq!(second.freed, [1]);
        assert!(second.reused.is_empty());
    }

    #[test]
    fn numbers_freed_longest_ago_are_given_again_only_when_none_is_unused() {
        let first = renew(&Numbers::default(), &["a", "b"]).expect("room");
        let second = renew(&first, &["b"]).expect("room");
        let third = renew(&second, &["c", "d"]).expect("room");
        assert_eq!(taken(&third), [("c", 3), ("d", 4)]);
        assert_eq!(third.freed, [1, 2]);
        let fourth = renew(&third, &["c", "d", "e"]).expect("room");
        assert_eq!(taken(&fourth), [("c", 3), ("d", 4), ("e", 1)]);
        assert_eq!(fourth.reused, [1]);
        let fifth = renew(&fourth, &["c", "d", "e"]).expect("room");
        assert!(fifth.reused.is_empty());
    }

    #[test]
    fn no_piece_is_begun_while_there_are_twice_as_many_numbers_as_names() {
        let mut numbers = Numbers::default();
        for round in 0..100 {
            let names = shared(&[0, 1, 2].map(|name| format!("{round}.{name}")));
            let claims = numbers.claims(names.iter());
            (numbers, _) = numbers.renew(claims, 1, 1000, 8).expect("room");
            assert!(numbers.unused_from <= 8, "round {round}: {numbers:?}");
        }
        let names: Vec<String> = (0..20).map(|name| name.to_string()).collect();
        let names = shared(&names);
        let claims = numbers.claims(names.iter());
        let (numbers, _) = numbers.renew(claims, 1, 1000, 8).expect("room");
        assert!((9..=40).contains(&numbers.unused_from), "{numbers:?}");
    }

    #[test]
    fn a_number_given_back_just_now_serves_when_nothing_else_does() {
        let full = renew(&Numbers::default(), &["a", "b", "c", "d"]).expect("room");
        let next = renew(&full, &["e", "f", "g", "h"]).expect("room");
        assert_eq!(next.reused.len(), 4);
        assert_eq!(renew(&full, &["a", "b", "c", "d", "e"]), None);
    }
}
