//! Interfaces: which endpoint owns them, and their table.

pub(crate) mod binding;
pub(crate) mod newcomers;
pub(crate) mod table;
