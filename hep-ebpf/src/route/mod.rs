//! Where packets go, and whether they may come from where they do.

mod checks;
mod fib;
mod local;

pub(crate) use checks::{checks_reverse_path, fails_reverse_path, is_martian, may_be_martian};
pub(crate) use fib::{Routed, words};
pub(crate) use local::{classify_quickly, is_for_host, is_forwarded, is_routed};
