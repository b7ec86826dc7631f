//! The trait of stores that keep objects.

use serde_json::Value;

use super::{ClientError, Object};
use crate::{
    model::{Kind, ResourceId},
    store::Later,
};

/// The objects of a kind at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// In the order of their names in the store.
    pub objects: Vec<Object>,
    /// The store's word for the revision; opaque.
    pub revision: String,
}

/// Reads and writes single objects, as libcalico's backends do: each write touches one object, and nothing is
/// defaulted or checked here that the store does not default or check itself. Values are resources in
/// `projectcalico.org/v3`; each back end converts them to what it stores.
pub trait Client {
    /// Reads an object by the identity that addresses it; with a `revision`, as it was then, where the store
    /// keeps history (spec DS-047, DS-139).
    fn get<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>>;

    /// Lists a kind: all of it, or one namespace.
    fn list<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&'a str>,
    ) -> Later<'a, Result<Listing, ClientError>>;

    /// Stores an object that does not exist yet, under its `metadata.name`; returns it as stored.
    fn create<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>>;

    /// Replaces an object whose revision is still `metadata.resourceVersion`; returns it as stored.
    fn update<'a>(&'a self, value: &'a Value) -> Later<'a, Result<Object, ClientError>>;

    /// Deletes an object, only if its revision and uid are still these where they are given; returns it as
    /// it was (spec DS-053, DS-138).
    fn delete<'a>(
        &'a self,
        id: &'a ResourceId,
        revision: Option<&'a str>,
        uid: Option<&'a str>,
    ) -> Later<'a, Result<Object, ClientError>>;
}
