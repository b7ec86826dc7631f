//! Pins: maps and links that outlive the daemon, and their adoption.

pub(crate) mod adopt;
pub(crate) mod directory;
pub(crate) mod displaced;
pub(crate) mod layout;
pub(crate) mod other_version;
