//! From a snapshot to tables: a pure function, no clock, no kernel, no files.
//!
//! `interfaces` decides who owns which interface; `lists` finds the policies that an endpoint meets, in
//! order, and flattens them into rules with predicates over `sets`; `classes` cuts each header field into
//! classes, which `address` puts into the shape of the maps; rows turn predicates over classes into bits.

mod address;
mod classes;
mod description;
mod error;
mod generation;
mod interfaces;
mod judge;
mod lineage;
mod lists;
mod segments;
mod sets;
mod tables;
#[cfg(test)]
mod tests;
mod warnings;

pub use address::AddressTables;
pub use description::shape::{
    Description, DirectionDescription, EndpointDescription, FailsafeDescription,
    InterfaceDescription, ListDescription, ListKind, RuleDescription, SetDescription,
};
pub use error::CompileError;
pub use generation::{Generation, Options, compile, compile_after};
pub use interfaces::{
    binding::{Binding, BindingReason, Bound, bind},
    newcomers::Newcomers,
};
pub use judge::{Headers, Outcome, judge};
pub use lineage::Lineage;
pub(crate) use lists::rows::with_room;
pub use lists::slots::{Numbers, Slots};
pub use segments::Segments;
pub use sets::selected::members;
pub use tables::RuleTables;
pub use warnings::warnings;
