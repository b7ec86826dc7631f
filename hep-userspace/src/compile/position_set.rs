//! Sets of positions, small ones by what they hold, and large ones by where that comes from.

use std::{borrow::Cow, sync::Arc};

use super::ranges::{Position, RangeSet};
use crate::model::Members;

/// What makes two sets the same, in one generation and from generation to generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity<T> {
    /// What they hold.
    Ranges(Arc<RangeSet<T>>),
    /// The objects whose addresses they hold, one a line.
    Objects(Arc<str>),
}

/// A set of positions.
#[derive(Clone, Debug)]
pub(super) struct PositionSet<T> {
    pub(super) identity: Identity<T>,
    /// What a set of objects holds.
    members: Vec<Members<T>>,
}

impl<T: Position> PositionSet<T> {
    pub(super) fn of_ranges(ranges: RangeSet<T>) -> Self {
        Self {
            identity: Identity::Ranges(Arc::new(ranges)),
            members: Vec::new(),
        }
    }

    pub(super) const fn of_objects(names: Arc<str>, members: Vec<Members<T>>) -> Self {
        Self {
            identity: Identity::Objects(names),
            members,
        }
    }

    /// Everything that it holds: sorted ranges that neither overlap nor touch.
    pub(super) fn ranges(&self) -> Cow<'_, RangeSet<T>> {
        if let Identity::Ranges(ranges) = &self.identity {
            return Cow::Borrowed(ranges);
        }
        Cow::Owned(match &*self.members {
            [only] => RangeSet::of_sorted(only.len(), only.iter()),
            several => RangeSet::new(several.iter().flat_map(Members::iter).collect()),
        })
    }

    /// As [`Self::ranges`], from `first` to `last`.
    pub(super) fn between(&self, first: T, last: T) -> RangeSet<T> {
        if let Identity::Ranges(ranges) = &self.identity {
            return RangeSet::new(ranges.between(first, last).collect());
        }
        let mut found = Vec::new();
        for members in &self.members {
            found.extend(members.reaching(first).map(|end| (first, end.min(last))));
            let inside = members.starting_at(first);
            let inside = inside.take_while(|member| member.0 <= last);
            found.extend(inside.map(|member| (member.0, member.1.min(last))));
        }
        RangeSet::new(found)
    }

    /// Whether it holds every position up to `last`.
    pub(super) fn is_all_up_to(&self, last: T) -> bool {
        match &self.identity {
            Identity::Ranges(ranges) => ranges.covers(T::MIN, last),
            Identity::Objects(_) => {
                let starts_low = |members: &Members<T>| {
                    members.iter().next().is_some_and(|first| first.0 == T::MIN)
                };
                self.members.iter().any(starts_low) && self.ranges().covers(T::MIN, last)
            }
        }
    }

    /// Where it may hold something else than a former set of the same identity; `None` if that is
    /// more than `limit` ranges.
    pub(super) fn changed(&self, former: &Self, limit: usize) -> Option<Vec<(T, T)>> {
        if self.members.len() != former.members.len() {
            return None;
        }
        let mut changed = Vec::new();
        for (members, before) in self.members.iter().zip(&former.members) {
            changed.extend(members.difference(before, limit)?);
        }
        (changed.len() <= limit).then_some(changed)
    }

    /// All that it holds; `None` if that is more than `limit` ranges.
    pub(super) fn few(&self, limit: usize) -> Option<Vec<(T, T)>> {
        let count = match &self.identity {
            Identity::Ranges(ranges) => ranges.as_slice().len(),
            Identity::Objects(_) => self.members.iter().map(Members::len).sum(),
        };
        (count <= limit).then(|| self.ranges().as_slice().to_vec())
    }
}
