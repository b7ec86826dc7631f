//! Sets of positions: small ones are identified by their members, large ones by their origin.

use std::{borrow::Cow, sync::Arc};

use super::{
    ranges::{Position, RangeSet},
    union::Union,
};
use crate::model::Members;

/// Identity of a set: equal ones have the same members, in one generation and from generation to
/// generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity<T> {
    /// The members themselves.
    Ranges(Arc<RangeSet<T>>),
    /// The objects whose addresses they hold, one a line.
    Objects(Arc<str>),
}

/// A set of positions.
#[derive(Clone, Debug)]
pub(crate) struct PositionSet<T> {
    pub(crate) identity: Identity<T>,
    /// Identity of the set of the generation before that a set of objects was made from, if it is
    /// another one.
    pub(crate) former: Option<Identity<T>>,
    /// Members of a set of objects.
    members: Members<T>,
}

impl<T: Position> PositionSet<T> {
    pub(crate) fn of_ranges(ranges: Arc<RangeSet<T>>) -> Self {
        Self {
            identity: Identity::Ranges(ranges),
            former: None,
            members: Members::default(),
        }
    }

    pub(crate) fn of_objects(union: &Union<T>) -> Self {
        Self {
            identity: Identity::Objects(Arc::clone(&union.names)),
            former: union.former.clone().map(Identity::Objects),
            members: union.members.clone(),
        }
    }

    /// Everything that it holds: sorted ranges that neither overlap nor touch.
    pub(crate) fn ranges(&self) -> Cow<'_, RangeSet<T>> {
        if let Identity::Ranges(ranges) = &self.identity {
            return Cow::Borrowed(ranges);
        }
        Cow::Owned(RangeSet::of_sorted(self.members.len(), self.members.iter()))
    }

    /// The members from `first` to `last`: sorted ranges that neither overlap nor touch.
    pub(crate) fn between(&self, first: T, last: T) -> RangeSet<T> {
        if let Identity::Ranges(ranges) = &self.identity {
            return RangeSet::new(ranges.between(first, last).collect());
        }
        let reaching = self.members.reaching(first);
        let inside = self.members.starting_at(first);
        let inside = inside.take_while(|member| member.0 <= last);
        let inside = inside.map(|member| (member.0, member.1.min(last)));
        let reaching = reaching.map(|end| (first, end.min(last)));
        RangeSet::new(reaching.into_iter().chain(inside).collect())
    }

    /// Whether it holds every position up to `last`.
    pub(crate) fn is_all_up_to(&self, last: T) -> bool {
        match &self.identity {
            Identity::Ranges(ranges) => ranges.covers(T::MIN, last),
            Identity::Objects(_) => {
                let starts_low = self.members.iter().next();
                starts_low.is_some_and(|first| first.0 == T::MIN)
                    && self.ranges().covers(T::MIN, last)
            }
        }
    }

    /// The ranges where it may differ from the `former` set that it was made from; `None` if there are more
    /// than `limit`.
    pub(crate) fn changed(&self, former: &Self, limit: usize) -> Option<Vec<(T, T)>> {
        self.members.difference(&former.members, limit)
    }

    /// All that it holds; `None` if that is more than `limit` ranges.
    pub(crate) fn few(&self, limit: usize) -> Option<Vec<(T, T)>> {
        let count = match &self.identity {
            Identity::Ranges(ranges) => ranges.as_slice().len(),
            Identity::Objects(_) => self.members.len(),
        };
        (count <= limit).then(|| self.ranges().as_slice().to_vec())
    }
}
