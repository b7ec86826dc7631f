//! Stores of policy: how policy is kept, read, followed and written, behind one trait for all kinds.
//!
//! The daemon uses a [`Source`], whatever its kind; commands read a path in their arguments by [`directory`].
//! Another kind takes a module here, and a variant of [`Location`], [`StoreError`] and [`WriteError`].

mod choice;
pub mod config;
pub mod directory;
pub mod etcd;
pub mod follow;
pub mod kubernetes;
mod location;
pub mod objects;
mod policy_set;
mod source;

pub use choice::{Choice, open};
pub use location::Location;
pub use policy_set::{PolicySet, hex};
pub use source::{Distrust, Found, Later, Source, StoreError, WriteError};
