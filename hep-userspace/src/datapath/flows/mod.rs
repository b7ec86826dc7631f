//! The tables of flows: read, seeded, swept.

pub(crate) mod connection;
pub(crate) mod entries;
pub(crate) mod grace;
pub(crate) mod homes;
pub(crate) mod occupancy;
pub(crate) mod room;
pub(crate) mod seed;
pub(crate) mod sweep;
