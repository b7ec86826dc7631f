//! From a snapshot to tables: a pure function, no clock, no kernel, no files.
//!
//! `binding` decides who owns which interface, `order` which policies an endpoint meets, `expand`
//! and `lists` flatten them into rules with predicates; `partition` cuts each header field into
//! classes, and `rows` turns predicates over classes into bits.

mod address;
mod addresses;
mod binding;
mod blocks;
mod classes;
mod description;
mod endpoints;
mod error;
mod expand;
mod generation;
mod interfaces;
mod judge;
mod labels;
mod lineage;
mod list_builder;
mod list_table;
mod lists;
mod named_ports;
mod newcomers;
mod order;
mod partition;
mod pieces;
mod position_set;
mod predicates;
mod ranges;
mod rows;
mod rules;
mod services;
mod sets;
mod slots;
mod summary;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod union;
mod warnings;

pub use address::AddressTables;
pub use binding::{Binding, BindingReason, Bound, bind};
pub use description::{
    Description, DirectionDescription, EndpointDescription, FailsafeDescription,
    InterfaceDescription, ListDescription, ListKind, RuleDescription, SetDescription,
};
pub use error::CompileError;
pub use generation::{Generation, Options, compile, compile_after};
pub use judge::{Headers, Outcome, judge};
pub use lineage::Lineage;
pub use newcomers::Newcomers;
pub use pieces::Pieces;
pub(crate) use rows::with_room;
pub use sets::members;
pub use slots::{Numbers, Slots};
pub use tables::RuleTables;
pub use warnings::warnings;
