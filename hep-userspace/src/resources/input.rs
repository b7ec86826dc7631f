//! Resources from files, directories and standard input (spec DS-174, DS-183 to DS-188).

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    checks,
    decode::{Unread, decode, unread_nothing},
};
use crate::{model::Kind, source};

/// Where resources are read from.
#[derive(Clone, Debug)]
pub struct Input<'p> {
    /// A file, a directory, or `-` for standard input.
    pub path: &'p Path,
    /// Whether directories in the directory are read, too.
    pub is_recursive: bool,
}

/// Reason why resources cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file or directory cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A text is no YAML.
    #[error("{}:{line}:{column}: {text}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u32,
        /// The column.
        column: u32,
        /// The mistake.
        text: String,
    },
    /// A document is no resource.
    #[error("{} ({}:{}:{})", unread.text, path.display(), unread.line, unread.column)]
    Document {
        /// The file.
        path: PathBuf,
        /// The mistake, with its line in the file.
        unread: Unread,
    },
}

/// Reads all resources, in the order of the texts and of the files' names.
///
/// # Errors
///
/// The first obstacle.
pub fn read(input: &Input<'_>) -> Result<Vec<(Kind, Value)>, InputError> {
    if input.path == Path::new("-") {
        return resources(input.path, &read_text(input)?);
    }
    let metadata = fs::metadata(input.path).map_err(unreadable(input.path))?;
    let mut files = Vec::new();
    if metadata.is_dir() {
        collect(input.path, input.is_recursive, &mut files)?;
    } else {
        files.push(input.path.to_path_buf());
    }
    let mut all = Vec::new();
    for path in files {
        let text = fs::read(&path).map_err(unreadable(&path))?;
        all.extend(resources(&path, &text)?);
    }
    Ok(all)
}

/// The text of a file, or of standard input.
pub(super) fn read_text(input: &Input<'_>) -> Result<Vec<u8>, InputError> {
    if input.path != Path::new("-") {
        return fs::read(input.path).map_err(unreadable(input.path));
    }
    let mut text = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut text);
    read.map_err(unreadable(input.path))?;
    Ok(text)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> InputError {
    move |source| InputError::Unreadable {
        path: path.to_path_buf(),
        source,
    }
}

/// Files with the endings of policy in a directory, in the order of their names.
fn collect(
    directory: &Path,
    is_recursive: bool,
    files: &mut Vec<PathBuf>,
) -> Result<(), InputError> {
    let entries = fs::read_dir(directory).map_err(unreadable(directory))?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(unreadable(directory))?;
    paths.sort();
    for path in paths {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_policy = ending.is_some_and(|ending| {
            let known = ["yaml", "yml", "json"];
            known.iter().any(|known| ending.eq_ignore_ascii_case(known))
        });
        if path.is_dir() {
            if is_recursive {
                collect(&path, true, files)?;
            }
        } else if is_policy {
            files.push(path);
        }
    }
    Ok(())
}

/// The resources of a text.
pub(super) fn resources(path: &Path, text: &[u8]) -> Result<Vec<(Kind, Value)>, InputError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut all = Vec::new();
    for (first_line, document) in documents(text) {
        let below = |line: u32| line.saturating_add(first_line);
        let parsed = source::parse(document);
        if let Some(error) = parsed.errors.first() {
            return Err(InputError::Syntax {
                path: path.to_path_buf(),
                line: below(error.line),
                column: error.column,
                text: format!("{}; {}", error.message, error.advice),
            });
        }
        let decoded = match parsed.documents.into_iter().next() {
            Some(document) => decode(&document.expanded()).and_then(known_fields),
            None => Err(unread_nothing()),
        };
        all.extend(decoded.map_err(|unread| InputError::Document {
            path: path.to_path_buf(),
            unread: Unread {
                line: below(unread.line),
                ..unread
            },
        })?);
    }
    Ok(all)
}

/// Checks the fields of kinds whose shape is known to `validate` alone.
fn known_fields(resources: Vec<(Kind, Value)>) -> Result<Vec<(Kind, Value)>, Unread> {
    let felix = resources
        .iter()
        .filter(|(kind, _)| *kind == Kind::FelixConfiguration);
    match felix.filter_map(|(_, value)| checks::unread(value)).next() {
        Some(unread) => Err(unread),
        None => Ok(resources),
    }
}

/// The documents of a text, each with the number of lines before it: what is between line ends followed by
/// `---` and the rest of that line. Those without a single byte are left out (spec DS-183).
fn documents(text: &[u8]) -> Vec<(u32, &[u8])> {
    let mut found = Vec::new();
    let (mut start, mut from) = (0, 0);
    let lines = |end: usize| {
        let count = text[..end].iter().filter(|byte| **byte == b'\n').count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    while let Some(at) = memchr::memmem::find(&text[from..], b"\n---") {
        let separator = from + at;
        found.push((lines(start), &text[start..separator.max(start)]));
        let behind = separator + b"\n---".len();
        let rest = memchr::memchr(b'\n', &text[behind..]);
        start = rest.map_or(text.len(), |end| behind + end + 1);
        // The line end of a separator may begin the next one.
        from = start.saturating_sub(1).max(behind);
        if rest.is_none() {
            break;
        }
    }
    found.push((lines(start), &text[start..]));
    found.retain(|(_, document)| !document.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-183, DS-184, EX-29.
    #[test]
    fn documents_are_between_separators() {
        let of = |text: &'static str| -> Vec<&str> {
            let all = documents(text.as_bytes());
            all.into_iter()
                .map(|(_, document)| std::str::from_utf8(document).expect("it is ASCII"))
                .collect()
        };
        assert_eq!(of("a\n--- # note\nb\n---\n"), ["a", "b"]);
        assert_eq!(of("a\n---\n---\nb"), ["a", "b"]);
        assert_eq!(of("---\na"), ["---\na"]);
        assert_eq!(of("a\n--- text"), ["a"]);
        assert_eq!(of("a\n---\n\n"), ["a", "\n"]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(documents(b"a\nb\n---\nc")[1].0, 3);
    }
}
