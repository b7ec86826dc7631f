//! The metadata of every resource and rule: where it was written, its name, labels and annotations.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use crate::printable::Printable;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file as named by the user or found in the policy directory; for what the daemon made
    /// itself, a word in angle brackets such as `<built-in>`.
    pub file: Arc<Path>,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Column in characters, from 1; 0 if there is none.
    pub column: u32,
}

impl Position {
    /// The position of something that no file holds.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            file: Arc::from(Path::new("<built-in>")),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Position {
    /// `file:line`, or the file alone if there is no line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Printable(self.file.display());
        match self.line {
            0 => write!(f, "{file}"),
            line => write!(f, "{file}:{line}"),
        }
    }
}

/// The part of `metadata` that means something to a host firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Unique within the resource's kind.
    pub name: Arc<str>,
    /// Labels; for HostEndpoints without those inherited from profiles.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Where the resource starts.
    pub position: Position,
}
