//! Helpers of the soaks: traffic, policies, directories under change, figures.

pub(crate) mod chaos_dir;
pub(crate) mod config_map;
pub(crate) mod connections;
pub(crate) mod figure;
pub(crate) mod frames;
pub(crate) mod policies;
pub(crate) mod queues;
pub(crate) mod reader;
pub(crate) mod states;
pub(crate) mod streams;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tracer;
pub(crate) mod traffic;
