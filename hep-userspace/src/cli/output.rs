//! Printing, as text or as JSON.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::printable::{Printable, PrintableText, json};

/// Output format, the value of `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One JSON value, for programs.
    Json,
}

/// Prints one line.
///
/// # Errors
///
/// If writing to standard output fails; a closed pipe ends the command quietly.
pub(super) fn print(line: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", Printable(line))?;
    Ok(())
}

/// Prints several lines; foreign text in them must be escaped already.
///
/// # Errors
///
/// If writing to standard output fails.
pub(super) fn print_text(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", PrintableText(text))?;
    Ok(())
}

/// Prints one line that is not part of the answer (error, warning, hint) to standard error.
pub(super) fn complain(line: impl Display) {
    eprintln!("hep: {}", Printable(line));
}

/// Prints a JSON value, indented, with a line break at its end.
///
/// # Errors
///
/// If writing to standard output fails.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    print_text(json(&serde_json::to_string_pretty(value)?))
}

/// Prints a JSON value in one line.
///
/// # Errors
///
/// If writing to standard output fails.
pub(super) fn print_json_line(value: &impl Serialize) -> Result<()> {
    print(json(&serde_json::to_string(value)?))
}
