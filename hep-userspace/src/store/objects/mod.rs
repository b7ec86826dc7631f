//! Stores that keep each resource as an object of its own: what an object is, and how it is read and written.

mod client;
mod error;
mod fields;
mod object;

pub use client::{Client, Listing};
pub use error::{ClientError, Field, Operation};
pub use fields::{is_policy, object_of};
pub use object::Object;
