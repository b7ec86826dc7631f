//! From texts to one valid snapshot: strict decoding, what must hold between resources, and every
//! problem with its place and what to write instead (spec `resources.md`).

mod advice;
mod built_in;
mod code;
mod collected;
mod cursor;
mod decoded;
mod elsewhere;
mod endpoint;
mod entity;
mod felix;
mod header;
mod http;
mod index;
mod kinds;
mod lists;
mod load;
mod loader;
mod mappings;
mod metadata;
mod misplaced;
mod names;
mod namespaced;
mod object;
mod pending;
mod place;
mod policy;
mod problem;
mod problems;
mod resources;
mod rigour;
mod rule;
mod scalars;
mod severity;
mod simple;
#[cfg(test)]
mod tests;
mod unjudged;
mod version;
mod words;
mod workload;

pub use advice::advice;
pub use code::{Code, code_page};
pub use load::{Instead, Kept, Loaded, Node, Scope};
pub use loader::{Changes, Loader, load};
pub use problem::Problem;
pub use problems::{MAX_PROBLEMS, bounded};
pub use severity::Severity;
