//! Attachment of the programs to interfaces and hooks, and its records.

pub(crate) mod clsact;
pub(crate) mod error;
pub(crate) mod expedited_rcu;
pub(crate) mod hooks;
pub(crate) mod interfaces;
pub(crate) mod links;
pub mod local_in;
pub(crate) mod loopback;
pub(crate) mod newcomer;
pub(crate) mod records;
pub(crate) mod target;
pub(crate) mod unload;

pub use error::AttachError;
pub use expedited_rcu::ExpeditedRcu;
pub use hooks::{Hook, Hooks, hooks};
pub use interfaces::Attachments;
pub use target::{Outcome, Target};
pub use unload::wait_until_unloaded;
