//! The only user of aya and of the bpf system call.

pub mod attach;
mod clsact;
mod links;
