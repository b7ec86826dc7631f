//! Metrics and health checks over HTTP.

mod figures;
mod listeners;
mod server;

pub use figures::Figures;
pub use listeners::{Address, Listeners};
