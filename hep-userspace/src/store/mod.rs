//! Stores of policy: how policy is kept, read, followed and written, behind one trait for all kinds.
//!
//! Everything above asks a [`Source`] and never which kind it is. A second kind is one module here, and one
//! variant of [`Location`].

pub mod directory;
mod location;
mod policy_set;
mod source;

pub use location::Location;
pub use policy_set::PolicySet;
pub use source::{Distrust, Found, Later, Source, StoreError, WriteError};
