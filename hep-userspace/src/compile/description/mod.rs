//! The description of a generation, for commands: names for its numbers.

pub(crate) mod endpoints;
pub(crate) mod shape;
pub(crate) mod summary;
pub(crate) mod text;
