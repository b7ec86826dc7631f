//! Where something was read: a file, or an object of a store.

use std::{fmt, path::Path, sync::Arc};

use crate::printable::Printable;

/// The name of an object in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Name of the store, such as `etcd`.
    pub store: Arc<str>,
    /// Name in it: an etcd key, or a kind and a name (`GlobalNetworkPolicy/web`).
    pub key: Arc<str>,
}

/// The text that something was read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A file, as named by the user or found in the policy directory.
    File(Arc<Path>),
    /// An object of a store.
    Object {
        /// Its name.
        key: Arc<ObjectKey>,
        /// The store's word for its version; opaque.
        revision: Arc<str>,
    },
    /// None: hep made it itself.
    BuiltIn,
}

impl Origin {
    /// The same for all versions of an object.
    #[must_use]
    pub fn unversioned(&self) -> Self {
        match self {
            Self::File(_) | Self::BuiltIn => self.clone(),
            Self::Object { key, .. } => Self::Object {
                key: Arc::clone(key),
                revision: Arc::default(),
            },
        }
    }

    /// Whether it is a copy of `other`, which is clear without reading either. Others may be equal, too.
    #[must_use]
    pub fn is_identical(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => Arc::ptr_eq(one, other),
            (
                Self::Object { key, revision },
                Self::Object {
                    key: other,
                    revision: other_revision,
                },
            ) => Arc::ptr_eq(key, other) && Arc::ptr_eq(revision, other_revision),
            (Self::BuiltIn, Self::BuiltIn) => true,
            (Self::File(_) | Self::Object { .. } | Self::BuiltIn, _) => false,
        }
    }

    /// The last segment of an object's key: its name in the store (DS-074).
    #[must_use]
    pub fn object_name(&self) -> Option<&str> {
        match self {
            Self::Object { key, .. } => key.key.rsplit('/').next(),
            Self::File(_) | Self::BuiltIn => None,
        }
    }

    /// The file, unless it is something else.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Object { .. } | Self::BuiltIn => None,
        }
    }
}

impl fmt::Display for Origin {
    /// The file, `store:key@revision`, or `<built-in>`; not escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Object { key, revision } => write!(f, "{}:{}@{revision}", key.store, key.key),
            Self::BuiltIn => f.write_str(BUILT_IN),
        }
    }
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The text.
    pub origin: Origin,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Column in characters, from 1; 0 if there is none.
    pub column: u32,
}

impl Position {
    /// A place in the text of this origin. Only files have lines that a person can look up; of an object's
    /// text, the field says where in it a value is.
    #[must_use]
    pub fn new(origin: &Origin, line: u32, column: u32) -> Self {
        match origin {
            Origin::File(_) => Self {
                origin: origin.clone(),
                line,
                column,
            },
            Origin::Object { .. } | Origin::BuiltIn => Self::whole(origin.clone()),
        }
    }

    /// The text as a whole.
    #[must_use]
    pub const fn whole(origin: Origin) -> Self {
        Self {
            origin,
            line: 0,
            column: 0,
        }
    }

    /// The position of something that was not read.
    #[must_use]
    pub const fn built_in() -> Self {
        Self::whole(Origin::BuiltIn)
    }

    /// Whether it is the position of something that was not read.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.origin == Origin::BuiltIn
    }
}

impl fmt::Display for Position {
    /// `origin:line`, or the origin alone if there is no line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = Printable(&self.origin);
        match self.line {
            0 => write!(f, "{origin}"),
            line => write!(f, "{origin}:{line}"),
        }
    }
}

/// Word for the origin of what was not read.
const BUILT_IN: &str = "<built-in>";

/// The text of a place that is kept as its origin's text and a line; `None` if nobody wrote it.
#[must_use]
pub fn written_at(origin: &str, line: u32) -> Option<String> {
    match (origin, line) {
        ("" | BUILT_IN, _) => None,
        (origin, 0) => Some(origin.to_owned()),
        (origin, line) => Some(format!("{origin}:{line}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_printed_as_its_reader_finds_it() {
        let file = Origin::File(Arc::from(Path::new("p/web.yaml")));
        let object = Origin::Object {
            key: Arc::new(ObjectKey {
                store: Arc::from("etcd"),
                key: Arc::from("/calico/resources/v3/projectcalico.org/tiers/net"),
            }),
            revision: Arc::from("63"),
        };
        let texts = [
            Position::new(&file, 3, 7),
            Position::whole(file),
            Position::new(&object, 1, 233),
            Position::built_in(),
        ]
        .map(|position| position.to_string());
        assert_eq!(written_at("p/web.yaml", 3), Some(texts[0].clone()));
        assert_eq!(written_at(&texts[2], 0), Some(texts[2].clone()));
        assert_eq!(written_at(&texts[3], 0), None);
        assert_eq!(
            texts,
            [
                "p/web.yaml:3",
                "p/web.yaml",
                "etcd:/calico/resources/v3/projectcalico.org/tiers/net@63",
                "<built-in>",
            ]
        );
    }
}
