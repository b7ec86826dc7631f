//! Metrics and health checks over HTTP.

mod address;
mod cache;
mod listeners;
mod registry;
mod server;

pub use address::Address;
pub use listeners::Listeners;
pub use registry::Metrics;
