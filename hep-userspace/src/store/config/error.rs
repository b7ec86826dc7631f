//! Mistakes in the configuration, and their places.

use std::{fmt, path::PathBuf, sync::Arc};

/// Origin of a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The defaults, or an option of the command line.
    #[default]
    Nowhere,
    /// A variable of the environment.
    Variable(Arc<str>),
    /// A file's line and column, from 1.
    File {
        /// The file.
        path: Arc<std::path::Path>,
        /// The line.
        line: u32,
        /// The column in characters.
        column: u32,
    },
}

impl fmt::Display for Place {
    /// `file:line:column: ` or `NAME: `, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::Variable(name) => write!(f, "{name}: "),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}: ", path.display()),
        }
    }
}

/// Reason why a configuration cannot be used, in calicoctl's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named does not exist, or cannot be read (spec DS-002).
    #[error("Error reading config file: {}", .0.display())]
    Unreadable(PathBuf),
    /// The file is not what it should be (spec DS-004).
    #[error("syntax error in {place}{text}")]
    Syntax {
        /// The place in the file.
        place: Place,
        /// The mistake.
        text: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{place}{text}")]
    Setting {
        /// Its origin.
        place: Place,
        /// The mistake.
        text: String,
    },
}

impl ConfigError {
    /// A setting from this place that has a wrong value.
    pub(super) fn setting(place: &Place, text: impl Into<String>) -> Self {
        Self::Setting {
            place: place.clone(),
            text: text.into(),
        }
    }
}
