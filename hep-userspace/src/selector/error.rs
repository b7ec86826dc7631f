//! Mistakes in a selector, each with its column.

use super::limits::{MAX_CHARACTERS, MAX_DEPTH};

/// Why a text is not a selector. Columns count bytes from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// More than [`MAX_CHARACTERS`] characters.
    #[error("selector has {characters} characters, at most {MAX_CHARACTERS} are allowed")]
    TooLong {
        /// Number of characters.
        characters: usize,
    },
    /// Parentheses inside each other beyond [`MAX_DEPTH`].
    #[error("column {column}: more than {MAX_DEPTH} levels of nested parentheses")]
    TooDeep {
        /// Where the parenthesis is.
        column: usize,
    },
    /// A string literal without its closing quote.
    #[error("column {column}: the string that starts here is not closed, expected {quote}")]
    OpenString {
        /// Where the string starts.
        column: usize,
        /// The quote that is missing.
        quote: char,
    },
    /// A label key of more than 512 bytes.
    #[error("column {column}: label key of {bytes} bytes, at most 512 are allowed")]
    LongKey {
        /// Where the key starts.
        column: usize,
        /// Its length.
        bytes: usize,
    },
    /// A token where the grammar requires one of a few others.
    #[error("column {column}: expected {expected}, found {found}")]
    Unexpected {
        /// Where it is.
        column: usize,
        /// The tokens that are allowed here.
        expected: &'static str,
        /// The token found.
        found: String,
    },
}

impl SelectorError {
    /// Where the problem is: the byte's number in the text, from 1; 1 if it is the text as a whole.
    #[must_use]
    pub const fn column(&self) -> usize {
        match self {
            Self::TooLong { .. } => 1,
            Self::TooDeep { column }
            | Self::OpenString { column, .. }
            | Self::LongKey { column, .. }
            | Self::Unexpected { column, .. } => *column,
        }
    }
}
