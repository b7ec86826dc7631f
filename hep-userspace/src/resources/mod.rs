//! The resources of a store as calicoctl's verbs see them: libcalico's layer between the verbs and a
//! [`Client`](crate::store::objects::Client), which defaults, checks and initialises.

mod access;
mod built_in;
mod checks;
mod cluster;
mod decode;
mod defaults;
mod directory;
mod input;
mod merge;
mod migrate;
mod open;
mod references;
mod shape;
mod time;
mod update;
mod yaml;

pub use access::{Backing, Resources};
pub use built_in::DEFAULT_ALLOW;
pub use cluster::{Cluster, VersionMismatch};
pub use decode::{Unread, decode};
pub use directory::DirectoryClient;
pub use input::{Input, InputError, read};
pub use merge::strategic;
pub use migrate::{Export, Migrated, read_export};
pub use open::{Access, open};
pub use shape::{Field, Shape, of_kind};
pub use yaml::{json, yaml};
