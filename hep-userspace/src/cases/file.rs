//! Files of cases: JSONL, JSON (one case or a list), YAML (documents, each a case or a list).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::Case;

/// Why a file of cases cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of JSONL is no case.
    #[error("{path}:{line}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is no JSON.
    #[error("{path}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is no YAML, or a document is no case.
    #[error("{path}")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_yaml::Error,
    },
}

/// One case or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<serde_json::Value>),
    One(serde_json::Value),
}

impl OneOrMany {
    fn into_values(self) -> Vec<serde_json::Value> {
        match self {
            Self::Many(values) => values,
            Self::One(value) => vec![value],
        }
    }
}

/// Reads the cases of a file.
///
/// # Errors
///
/// [`FileError`] with the place in the file.
pub fn read(path: &Path) -> Result<Vec<Case>, FileError> {
    let text = fs::read_to_string(path).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

/// Parses the text of a file; the extension of its name selects the format. Cases without `id` get their
/// number.
///
/// # Errors
///
/// [`FileError`] with the place in the file.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Case>, FileError> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let mut cases = match ending {
        Some("jsonl" | "ndjson") => parse_lines(path, text)?,
        Some("json") => parse_json(path, text)?,
        Some(_) | None => parse_yaml(path, text)?,
    };
    for (number, case) in (1..).zip(&mut cases) {
        if case.id.is_empty() {
            case.id = format!("#{number}");
        }
    }
    Ok(cases)
}

fn parse_lines(path: &Path, text: &str) -> Result<Vec<Case>, FileError> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|source| FileError::Line {
                path: path.to_owned(),
                line: number,
                source,
            })
        })
        .collect()
}

fn parse_json(path: &Path, text: &str) -> Result<Vec<Case>, FileError> {
    let error = |source| FileError::Json {
        path: path.to_owned(),
        source,
    };
    serde_json::from_str::<OneOrMany>(text)
        .map_err(error)?
        .into_values()
        .into_iter()
        .map(|value| serde_json::from_value(value).map_err(error))
        .collect()
}

fn parse_yaml(path: &Path, text: &str) -> Result<Vec<Case>, FileError> {
    let error = |source| FileError::Yaml {
        path: path.to_owned(),
        source,
    };
    let mut cases = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = serde_yaml::Value::deserialize(document).map_err(error)?;
        let values = if value.is_null() {
            Vec::new()
        } else if let serde_yaml::Value::Sequence(values) = value {
            values
        } else {
            vec![value]
        };
        for value in values {
            cases.push(serde_yaml::from_value(value).map_err(error)?);
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str =
        r#"{"node":"h1","resources":["a.yaml"],"interfaces":{"eth0":[]},"packets":[]}"#;

    fn ids(name: &str, text: &str) -> Vec<String> {
        let cases = parse(Path::new(name), text).expect("these are cases");
        cases.into_iter().map(|case| case.id).collect()
    }

    #[test]
    fn every_format_gives_its_cases_in_order() {
        let named = CASE.replacen('{', r#"{"id":"x","#, 1);
        assert_eq!(ids("c.jsonl", &format!("{CASE}\n\n{named}\n")), ["#1", "x"]);
        assert_eq!(ids("c.json", &format!("[{named},{CASE}]")), ["x", "#2"]);
        assert_eq!(ids("c.json", CASE), ["#1"]);
        assert_eq!(
            ids("c.yaml", &format!("- {CASE}\n---\n{named}\n---\n")),
            ["#1", "x"]
        );
    }

    #[test]
    fn what_is_no_case_is_told_with_its_place() {
        let error = |name: &str, text: &str| {
            let error = parse(Path::new(name), text).expect_err("this is no case");
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        };
        let misspelt = CASE.replace("packets", "pakets");
        assert!(error("c.jsonl", &format!("{CASE}\n{misspelt}")).starts_with("c.jsonl:2: "));
        assert!(error("c.jsonl", &misspelt).contains("unknown field `pakets`"));
        assert!(error("c.yaml", &misspelt).contains("unknown field `pakets`"));
        assert!(error("c.json", "[").starts_with("c.json: "));
    }
}
