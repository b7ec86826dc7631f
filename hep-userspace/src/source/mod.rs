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
mod yaml;

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use crate::model::{ObjectKey, Origin};

pub use abridged::Outline;
pub use builder::Parsed;
pub use common::in_common;
pub use lines::{Edit, Lines};
pub use node::{Entry, Piece, Scalar, Sequence, Value, YamlNode};
pub use objects::{Object, document_around, each_object, replaced};
pub use scalar::{Number, whole};
pub use span::Span;
pub use syntax::SyntaxError;
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

/// The smallest thing that a source reports as changed: a file, or an object of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it is from, as messages show it.
    pub origin: Origin,
    /// Its content.
    pub text: Bytes,
}

impl Unit {
    /// A file.
    #[must_use]
    pub fn file(path: impl Into<Arc<Path>>, text: impl Into<Bytes>) -> Self {
        Self {
            origin: Origin::File(path.into()),
            text: text.into(),
        }
    }

    /// The file's path, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.origin.path()
    }

    /// The object's name and version, if it is one.
    #[must_use]
    pub fn object(&self) -> Option<(&Arc<ObjectKey>, &Arc<str>)> {
        match &self.origin {
            Origin::Object { key, revision } => Some((key, revision)),
            Origin::File(_) | Origin::BuiltIn => None,
        }
    }

    /// Whether it is a copy of `other`, which is clear without reading either. Others may be equal, too.
    #[must_use]
    pub fn is_identical(&self, other: &Self) -> bool {
        let place = |text: &Bytes| (text.as_ptr(), text.len());
        place(&self.text) == place(&other.text) && self.origin.is_identical(&other.origin)
    }

    /// Whether it is the file at this path.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        self.path() == Some(path)
    }
}
