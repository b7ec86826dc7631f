//! The shape of one family's tables.

use std::{fmt::Debug, hash::Hash};

/// Where a range of addresses starts, and its class.
pub(crate) type Boundary<T> = (T, u16);

/// Finds the classes of the addresses between two.
pub(crate) type Sweep<'s, T> = dyn FnMut(T, T) -> Option<Vec<Boundary<T>>> + 's;

/// The tables of one family.
pub(crate) trait Layout: Clone + Sized {
    /// An address of the family.
    type Address: Clone + Debug + Hash + Eq;

    /// The tables of a partition whose first range starts at 0.
    fn new(partition: &[Boundary<Self::Address>]) -> Self;

    /// These tables, updated where addresses in the `changed` ranges (sorted, disjoint) may have other
    /// classes now. All else stays in place, and no entry that the tables before need is overwritten.
    /// `sweep` finds the boundaries between two addresses, the first of them at the first address. `None`
    /// if the tables are better rebuilt from nothing.
    fn changed(
        &self,
        changed: &[(Self::Address, Self::Address)],
        sweep: &mut Sweep<'_, Self::Address>,
    ) -> Option<Self>;
}

/// A table index.
pub(crate) fn index(length: usize) -> u32 {
    u32::try_from(length).expect("the ranges of MAX_CLASSES sets' members stay below 2^31")
}
