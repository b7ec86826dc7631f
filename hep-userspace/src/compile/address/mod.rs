//! Address partitions in the shape of the maps: DXR tables (see `hep_common::address`).

mod layout;
mod mid;
mod patch;
mod run;
mod stages;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod v4;
mod v6;

pub(crate) use layout::{Boundary, Layout};
pub(crate) use mid::target_of;
pub use tables::AddressTables;
pub(crate) use v4::Layout4;
pub(crate) use v6::Layout6;
