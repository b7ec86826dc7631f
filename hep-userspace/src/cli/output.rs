//! Printing, as text or as JSON.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::printable::{Printable, PrintableText, json};

/// What `-o` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value.
    Json,
}

/// Prints one line.
///
/// # Errors
///
/// If standard output does not take it; a closed pipe ends the command quietly.
pub(super) fn print(line: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", Printable(line))?;
    Ok(())
}

/// Prints several lines; what stands in them is to be printable already.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_text(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", PrintableText(text))?;
    Ok(())
}

/// Says in one line on standard error what is not the answer: errors, warnings, hints.
pub(super) fn complain(line: impl Display) {
    eprintln!("hep: {}", Printable(line));
}

/// Prints a JSON value, indented, and a line break.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    print_text(json(&serde_json::to_string_pretty(value)?))
}

/// Prints a JSON value in one line.
///
/// # Errors
///
/// As [`print`].
pub(super) fn print_json_line(value: &impl Serialize) -> Result<()> {
    print(json(&serde_json::to_string(value)?))
}
