//! Policy texts: YAML and JSON as trees that know their places, and the objects in them.

mod abridged;
mod builder;
mod common;
mod input;
mod lines;
mod merge;
mod node;
mod objects;
mod odd;
mod plain;
mod scalar;
mod span;
mod syntax;
#[cfg(test)]
mod tests;
mod unit;
mod yaml;

pub use abridged::Outline;
pub use builder::Parsed;
pub use common::in_common;
pub use lines::{Edit, Lines};
pub use node::{Entry, Piece, Scalar, Sequence, Value, YamlNode};
pub use objects::{Object, document_around, each_object, replaced};
pub use scalar::{Number, whole};
pub use span::Span;
pub use syntax::SyntaxError;
pub use unit::Unit;
pub use yaml::{parse, parse_again};

/// Most sequences and mappings inside each other.
pub const MAX_NESTING: usize = 64;
/// Most bytes that the aliases of a file may add to it; an aliased value counts [`ALIAS_NODE_COST`]
/// and the length of its text.
pub const MAX_ALIAS_COST: usize = 4 << 20;
/// Most bytes in values with anchors, each counted with the values inside it, beyond [`MAX_ALIAS_COST`], in
/// multiples of the file's length. They are counted as aliased values are.
pub const MAX_ANCHOR_RATIO: usize = 8;
/// Most mistakes of a file that do not end its reading.
pub const MAX_SYNTAX_ERRORS: usize = 1000;
/// Cost of an aliased value beyond its text, in bytes.
pub const ALIAS_NODE_COST: usize = 64;

/// Keys of lists that may be very long: their items may be given as lines instead of trees.
pub const LONG_LISTS: [&str; 1] = ["nets"];
