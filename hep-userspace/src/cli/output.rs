//! Printing: the only place that knows the output formats.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::{
    printable::{Printable, PrintableText, json},
    view::{Failure, FailureKind},
};

/// Output format, the value of `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One JSON value, for programs.
    Json,
}

impl Format {
    /// The format of `-o`, else of `HEP_OUTPUT`.
    ///
    /// # Errors
    ///
    /// Message for the user if there is no such format.
    pub(super) fn named(output: Option<&str>) -> Result<Self, String> {
        let variable = std::env::var("HEP_OUTPUT").ok();
        let Some(named) = output.or(variable.as_deref()) else {
            return Ok(Self::default());
        };
        Self::from_str(named, true).map_err(|_unknown| {
            format!(
                "invalid value '{named}' for '--output <FORMAT>'\n  [possible values: text, json]"
            )
        })
    }

    /// The format that a command line asks for that cannot be parsed: the last `-o`, else `HEP_OUTPUT`.
    pub(super) fn of_arguments(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut named = std::env::var("HEP_OUTPUT").unwrap_or_default();
        let mut arguments = arguments.into_iter().take_while(|word| word != "--");
        while let Some(word) = arguments.next() {
            let value = word
                .strip_prefix("--output")
                .or_else(|| word.strip_prefix("-o"));
            match value {
                Some("") => named = arguments.next().unwrap_or_default(),
                Some(value) => value.trim_start_matches('=').clone_into(&mut named),
                None => {}
            }
        }
        Self::from_str(&named, true).unwrap_or_default()
    }
}

/// A view model as text for people.
pub(super) trait Text {
    /// Text for standard output, with foreign text escaped; nothing is printed if it is empty.
    fn text(&self) -> String;

    /// Remarks for standard error, printed in every format.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Prints a view model.
///
/// # Errors
///
/// If writing to standard output fails; a closed pipe ends the command quietly.
pub(super) fn emit<V: Serialize + Text>(view: &V, format: Format) -> Result<()> {
    match format {
        Format::Text => print_if_any(&view.text())?,
        Format::Json => print_text(json(&serde_json::to_string_pretty(view)?))?,
    }
    view.remarks().iter().for_each(complain);
    Ok(())
}

/// Prints one of many view models: as JSON on one line.
///
/// # Errors
///
/// If writing to standard output fails.
pub(super) fn emit_line<V: Serialize + Text>(view: &V, format: Format) -> Result<()> {
    match format {
        Format::Text => print_if_any(&view.text())?,
        Format::Json => print_text(json(&serde_json::to_string(view)?))?,
    }
    view.remarks().iter().for_each(complain);
    Ok(())
}

/// Prints an error: as JSON on one line to standard output, where it may end a stream of documents, and in
/// words to standard error in every format.
///
/// # Errors
///
/// If writing to standard output fails.
pub(super) fn emit_failure(failure: &Failure, format: Format) -> Result<()> {
    let error = &failure.error;
    match error.kind {
        FailureKind::Refused if !error.reasons.is_empty() => {
            for reason in &error.reasons {
                complain(format_args!("refused: {reason}"));
            }
        }
        FailureKind::Usage => eprintln!("{}", PrintableText(&error.message)),
        FailureKind::Failed
        | FailureKind::Invalid
        | FailureKind::Unreachable
        | FailureKind::Refused => complain(&error.message),
    }
    // A problem without a file is the message itself.
    let problems = error.problems.iter().filter(|it| !it.file.is_empty());
    for problem in problems.filter(|_| !failure.is_logged) {
        eprintln!("{}", Printable(&problem.text));
    }
    match format {
        Format::Text => Ok(()),
        Format::Json => print_text(json(&serde_json::to_string(failure)?)),
    }
}

fn print_if_any(text: &str) -> Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    print_text(text)
}

/// Prints several lines; foreign text in them must be escaped already.
fn print_text(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{}", PrintableText(text))?;
    Ok(())
}

/// Prints one line that is not part of the answer (warning, hint) to standard error.
pub(super) fn complain(line: impl Display) {
    eprintln!("hep: {}", Printable(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Usage errors are printed in the format that was asked for, too.
    #[test]
    fn the_format_of_a_wrong_command_line_is_found() {
        let format = |line: &str| Format::of_arguments(line.split(' ').map(str::to_owned));
        for line in [
            "hep show -o json nonsense",
            "hep -ojson",
            "hep --output=json show",
            "hep show --output JSON",
            "hep -o text -o=json",
        ] {
            assert_eq!(format(line), Format::Json, "{line}");
        }
        for line in ["hep", "hep -o", "hep -o yaml", "hep selector -- -o json"] {
            assert_eq!(format(line), Format::Text, "{line}");
        }
    }
}
