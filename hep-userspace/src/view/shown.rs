//! `hep show`: lists of what is in force, read from the pinned maps.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Version;
use crate::{
    compile::Description,
    datapath::{KernelError, Maps},
};

/// A list of one aspect of what is in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Shown<T> {
    /// Version of this shape.
    pub version: Version<1>,
    /// Generation in force; 0 if there is none, and no items then.
    pub generation: u32,
    /// The items.
    pub items: Vec<T>,
}

impl<T> Shown<T> {
    /// A list of items of a generation.
    #[must_use]
    pub const fn new(generation: u32, items: Vec<T>) -> Self {
        Self {
            version: Version,
            generation,
            items,
        }
    }
}

/// The pinned maps, and the description of the generation in force.
#[derive(Debug)]
pub struct Found {
    /// The maps.
    pub maps: Maps,
    /// The description.
    pub description: Description,
}

impl Found {
    /// Opens the pinned maps; `None` if nothing is in force. No daemon need run.
    ///
    /// # Errors
    ///
    /// [`KernelError`] if the maps are of another version or cannot be read.
    pub fn read(bpffs: &Path) -> Result<Option<Self>, KernelError> {
        let read = |maps: Maps| {
            let description = maps.description()?;
            Ok(Self { maps, description })
        };
        match Maps::open(bpffs).and_then(read) {
            Ok(found) => Ok(Some(found)),
            Err(KernelError::NotPinned(_) | KernelError::NoGeneration) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
