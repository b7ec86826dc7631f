//! The tables of both families in the shape of the maps.

use hep_common::address::{Range4, Range6Low, Range6Mid, Range6Top, Run};

use super::{v4::Layout4, v6::Layout6};
use crate::compile::segments::Segments;

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
