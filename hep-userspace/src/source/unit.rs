//! The smallest thing that a source reports as changed.

use std::{path::Path, sync::Arc};

use bytes::Bytes;

use crate::model::{ObjectKey, Origin};

/// A file, or an object of a store.
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
