//! Readers of the maps: handles, description, events.

pub(crate) mod description;
pub(crate) mod events;
pub(crate) mod maps;
