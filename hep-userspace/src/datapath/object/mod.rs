//! The embedded object: its maps, and the names in it.

pub(crate) mod embedded;
pub(crate) mod names;
pub(crate) mod program;
