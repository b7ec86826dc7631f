//! Frames and packets as hooks hand them out: beneath the parser, and the only readers of their bytes.

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
