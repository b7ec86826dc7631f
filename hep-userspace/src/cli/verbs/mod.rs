//! The verbs on resources of a store, with calicoctl's options, messages and exit codes.

mod change;
mod columns;
mod common;
mod get;
mod migrate;
mod shown;
mod tally;
mod template;
mod version;
mod write;

pub(super) use change::{Label, Patch};
pub(super) use get::Get;
pub(super) use migrate::Datastore;
pub(super) use version::Version;
pub(super) use write::{Apply, Create, Delete, Replace};
