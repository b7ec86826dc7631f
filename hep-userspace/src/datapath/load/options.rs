//! Options of a load.

use std::path::PathBuf;

use crate::{
    datapath::{FlowRoom, SeedFlow},
    model::LogLevel,
};

/// Sizes, places and switches of a load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The instance's pin directory; `None`: nothing is pinned, and everything ends with this
    /// process.
    pub pins: Option<PathBuf>,
    /// Capacity of the tables of flows; existing flows have room in any case.
    pub flows: FlowRoom,
    /// Finds the host's connections: needed for flows of versions that did not record which ones are assured.
    pub connections: fn() -> Vec<SeedFlow>,
    /// Most policed interfaces.
    pub interfaces: u32,
    /// Log level of the programs' own records.
    pub log_level: LogLevel,
    /// Have the programs record each verdict, for tests.
    pub record_decisions: bool,
}
