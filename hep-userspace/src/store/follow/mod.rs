//! Following a store of objects: one consumer for all of them (spec DS-219 to DS-258, DS-318 to DS-321).
//!
//! A task of its own lists and watches, and publishes what the store holds, or why that is not to be trusted
//! now. What is published last is what the daemon reads: whatever arrives while it loads is one change.

mod cache;
mod clocks;
mod deletions;
mod engine;
mod listing;
mod published;
mod source;
pub mod upstream;
mod watching;

pub use published::{KindReport, Reason, Report};
pub use source::Follow;
