//! Metrics and health checks over HTTP.

mod cache;
mod listeners;
mod registry;
mod server;

pub use listeners::{Address, Listeners};
pub use registry::Metrics;
