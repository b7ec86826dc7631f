//! Input of a resource's decoder besides its `spec`.

use std::cell::RefCell;

use super::{cursor::Value, place::Place};
use crate::model::{Metadata, ResourceId};

/// References to other resources, and their places.
pub(super) type References = RefCell<Vec<(ResourceId, Place)>>;

/// A resource whose `spec` is still to be decoded.
pub(super) struct Header<'c> {
    pub(super) metadata: Metadata,
    /// `metadata`, to report problems at.
    pub(super) value: &'c Value<'c>,
    /// Takes the references.
    pub(super) references: &'c References,
}

impl Header<'_> {
    /// Notes that the resource names another one, which must exist.
    pub(super) fn refer(&self, other: ResourceId, value: &Value<'_>) {
        self.references.borrow_mut().push((other, value.place()));
    }
}
