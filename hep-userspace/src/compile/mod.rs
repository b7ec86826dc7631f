//! From a snapshot to tables: a pure function, no clock, no kernel, no files.

mod description;
mod slots;
mod tables;

pub use description::{
    Description, DirectionDescription, EndpointDescription, FailsafeDescription,
    InterfaceDescription, ListDescription, ListKind, RuleDescription, SetDescription,
};
pub use slots::Slots;
pub use tables::RuleTables;

/// Everything that one generation puts into the kernel.
#[derive(Clone, Debug)]
pub struct Generation {
    /// What the programs read.
    pub tables: RuleTables,
    /// What commands read to put names to the numbers.
    pub description: Description,
}
