//! Address partitions in the shape of the maps: DXR tables (see `hep_common::address`).

mod mid;
mod patch;
mod run;
mod stages;
mod store;
#[cfg(test)]
mod tests;
mod v4;
mod v6;

use std::{fmt::Debug, hash::Hash};

use hep_common::address::{Range4, Range6Low, Range6Mid, Range6Top, Run};

use super::segments::Segments;
pub(crate) use mid::target_of;
pub(crate) use v4::Layout4;
pub(crate) use v6::Layout6;

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

/// Address → class, for both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressTables {
    /// IPv4 roots, 65 536.
    pub roots4: Segments<Run>,
    /// IPv4 ranges.
    pub ranges4: Segments<Range4>,
    /// IPv6 roots, 65 536.
    pub roots6: Segments<Run>,
    /// IPv6 ranges of bits 16–31.
    pub ranges6_top: Segments<Range6Top>,
    /// IPv6 ranges of bits 32–63.
    pub ranges6_mid: Segments<Range6Mid>,
    /// IPv6 ranges of bits 64–127.
    pub ranges6_low: Segments<Range6Low>,
}

impl AddressTables {
    /// The tables of two layouts.
    pub(crate) fn of(v4: &Layout4, v6: &Layout6) -> Self {
        Self {
            roots4: v4.roots.clone(),
            ranges4: v4.ranges.ranges().clone(),
            roots6: v6.roots.clone(),
            ranges6_top: v6.stages.top.ranges().clone(),
            ranges6_mid: v6.stages.mid.ranges().clone(),
            ranges6_low: v6.stages.low.ranges().clone(),
        }
    }
}

/// A table index.
fn index(length: usize) -> u32 {
    u32::try_from(length).expect("the ranges of MAX_CLASSES sets' members stay below 2^31")
}
