//! Frames as hooks hand them out: bytes, metadata, and questions that the kernel answers about them.
//!
//! A hook has a type that implements [`Load`] and, for what it offers, [`Frame`] and [`Query`]. The
//! parser and the checks above it take any of them.

mod direct;
mod hook;
mod load;
mod query;
mod tc;
mod wire;

pub(crate) use direct::Direct;
pub(crate) use hook::Frame;
pub(crate) use load::Load;
pub(crate) use query::{FibQuestion, Query, Tuple};
pub(crate) use wire::{Wire, wire};
