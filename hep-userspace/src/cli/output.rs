//! Printing, as text or as JSON.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

/// What `-o` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value.
    Json,
}

/// Prints one line, or several.
///
/// # Errors
///
/// If standard output does not take it; a closed pipe ends the command quietly.
pub(super) fn print(text: &impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Prints a JSON value, indented, and a line break.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}
