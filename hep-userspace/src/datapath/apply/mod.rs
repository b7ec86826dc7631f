//! Changes of the maps: generations, counters, own addresses.

pub(crate) mod check;
pub(crate) mod counters;
pub(crate) mod fill;
mod fill_slots;
pub(crate) mod generation;
pub(crate) mod mirror;
pub(crate) mod own_addresses;
pub(crate) mod report;
pub(crate) mod stamp;
pub(crate) mod tables;
pub(crate) mod text;
mod text_head;
