//! The state directory: the last policies in force, the decisions about them, and the lock that keeps a
//! second daemon out.
//!
//! | name | content |
//! | --- | --- |
//! | `lock` | held by the daemon while it runs |
//! | `journal` | [`Journal`], with its checksum |
//! | `coming` | the write-ahead log of a load: the policy that is about to come into force |
//! | `snapshots/N` | the policy that came into force with generation N, with its checksum |
//!
//! Every file is replaced atomically: written beside its place, synced, renamed, and the directory
//! synced, so that a reader finds the old or the new one, also after a power loss (which `coming` need
//! not survive).

mod directory;
mod error;
mod files;
mod format1;
mod journal;
mod journal_file;
mod pending;
mod snapshot;
#[cfg(test)]
mod tests;

pub use directory::{StateDirectory, policy, remove};
pub use error::StateError;
pub use journal::{Cause, Entry, Journal, Outcome, Settings};
pub use journal_file::read_journal;
pub use pending::PendingPolicy;
