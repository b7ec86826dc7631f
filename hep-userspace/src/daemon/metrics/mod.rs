//! Metrics and health checks over HTTP.

mod cache;
mod figures;
mod listeners;
mod server;

pub use figures::Figures;
pub use listeners::{Address, Listeners};
