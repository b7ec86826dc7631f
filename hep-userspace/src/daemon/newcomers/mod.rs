//! Polices interfaces that appear while a policy is in force, within milliseconds, on a thread of its own
//! (spec EV-018).
//!
//! A load takes as long as the policy is large, and other notifications may be many. So rules are
//! compiled for every endpoint of this node ([`crate::compile::Newcomers`]), and a thread that does nothing
//! else adds a new interface to the generation in force as soon as the kernel reports it, and attaches the
//! programs. The next load treats it like any other interface.

mod follow;
mod state;
mod watch;

pub use state::Rules;
pub use watch::{Changing, NewcomerWatch, NewcomersError};
