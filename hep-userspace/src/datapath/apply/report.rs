//! A load as its caller follows it: steps, and the report of what was written.

use std::{fmt, io, time::Duration};

/// A stage of a load that an [`Observer`] may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Making the table of this outer map and putting it into the idle slot.
    Table(&'static str),
    /// Zeroing counters that get another owner.
    Counters,
    /// Writing the idle settings.
    Settings,
    /// Reading everything back.
    Check,
    /// The store that brings the generation of this number into force.
    Flip(u32),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(map) => write!(f, "table {map}"),
            Self::Counters => f.write_str("the counters"),
            Self::Settings => f.write_str("the settings"),
            Self::Check => f.write_str("the check"),
            Self::Flip(_) => f.write_str("the flip"),
        }
    }
}

/// Observes the steps of a load, and may stop it before each.
pub trait Observer {
    /// Called before each step.
    ///
    /// # Errors
    ///
    /// Stops the load with [`KernelError::Stopped`](crate::datapath::KernelError::Stopped); the former
    /// generation stays in force.
    fn before(&mut self, step: Step) -> io::Result<()>;

    /// Called right after the flip: the generation is in force.
    fn flipped(&mut self) {}
}

/// Lets every load go through.
impl Observer for () {
    fn before(&mut self, _step: Step) -> io::Result<()> {
        Ok(())
    }
}

/// Report of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Number of the generation that is now in force.
    pub generation: u32,
    /// Report of each table, in alphabetical order.
    pub tables: Vec<AppliedTable>,
    /// From the start until every idle slot was filled and checked.
    pub fill: Duration,
    /// From the start until the generation was in force.
    pub in_force: Duration,
    /// From the start until the former generation was gone.
    pub total: Duration,
}

/// Report of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppliedTable {
    /// Name of the outer map.
    pub map: &'static str,
    /// Entries of the inner map.
    pub entries: usize,
    /// Bytes of its values, and of its keys if it is a hash.
    pub bytes: usize,
    /// Nothing changed since the former generation.
    pub shared: bool,
    /// Entries that were written.
    pub written: usize,
}

impl Applied {
    /// Entries of all tables, and how many of them were written.
    #[must_use]
    pub fn entries_written(&self) -> [usize; 2] {
        let tables = self.tables.iter();
        tables.fold([0; 2], |[entries, written], table| {
            [entries + table.entries, written + table.written]
        })
    }
}
