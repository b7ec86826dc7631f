//! Mistakes in YAML or JSON, and their places.

use saphyr_parser::Marker;

use super::MAX_NESTING;

/// A mistake in YAML or JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}; {advice}")]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The mistake.
    pub message: String,
    /// The text to write instead.
    pub advice: &'static str,
}

/// A line or column as messages have it.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A mistake at the parser's mark.
pub(super) fn error(marker: Marker, message: String, advice: &'static str) -> SyntaxError {
    SyntaxError {
        line: number(marker.line()),
        column: number(marker.col() + 1),
        message,
        advice,
    }
}

/// Too many levels.
pub(super) fn too_deep(start: Marker) -> SyntaxError {
    error(
        start,
        format!("more than {MAX_NESTING} levels of nested lists and mappings"),
        "no resource needs that many",
    )
}
