//! Settings from a configuration file (spec DS-004).

use std::path::Path;

use super::{
    ConfigError, Place,
    settings::{Form, Name, Setting, Settings},
};
use crate::source::{self, Entry, Scalar, Value, YamlNode};

const API_VERSION: &str = "projectcalico.org/v3";
const KIND: &str = "CalicoAPIConfig";

/// Keys of Kubernetes' metadata.
const METADATA: [&str; 15] = [
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Reads the settings from the text of a file, strictly: each field must be known, and given once.
///
/// # Errors
///
/// The first mistake, with its place.
pub(super) fn settings(path: &Path, text: &[u8]) -> Result<Settings, ConfigError> {
    let parsed = source::parse(text);
    let file = File { path };
    if let Some(error) = parsed.errors.first() {
        let text = format!("{}; {}", error.message, error.advice);
        return Err(file.wrong(error.line, error.column, text));
    }
    let Some(document) = parsed.documents.into_iter().next() else {
        return Err(file.wrong(
            1,
            1,
            format!("write apiVersion: {API_VERSION}, kind: {KIND} and spec"),
        ));
    };
    file.read(&document.expanded())
}

/// The file that is read, for messages.
struct File<'p> {
    path: &'p Path,
}

impl File<'_> {
    fn read(&self, document: &YamlNode<'_>) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        let (mut version, mut kind) = (None, None);
        for entry in self.mapping(document, "the file")? {
            let key = entry.key.to_ascii_lowercase();
            match key.as_str() {
                "apiversion" => version = Some(self.scalar(&entry.value)?.text.clone()),
                "kind" => kind = Some(self.scalar(&entry.value)?.text.clone()),
                "metadata" => self.metadata(&entry.value)?,
                "spec" => self.spec(&entry.value, &mut settings)?,
                _ => return Err(self.unknown(entry)),
            }
        }
        for (found, wanted, field) in [(version, API_VERSION, "apiVersion"), (kind, KIND, "kind")] {
            if found.as_deref() != Some(wanted) {
                let text = format!("{field} must be {wanted}");
                return Err(self.wrong(document.line, document.column, text));
            }
        }
        Ok(settings)
    }

    fn metadata(&self, node: &YamlNode<'_>) -> Result<(), ConfigError> {
        for entry in self.mapping(node, "metadata")? {
            let is_it = |known: &str| known.eq_ignore_ascii_case(&entry.key);
            if !METADATA.iter().any(|known| is_it(known)) {
                return Err(self.unknown(entry));
            }
        }
        Ok(())
    }

    fn spec(&self, node: &YamlNode<'_>, settings: &mut Settings) -> Result<(), ConfigError> {
        for entry in self.mapping(node, "spec")? {
            let name = Name::of_key(&entry.key).ok_or_else(|| self.unknown(entry))?;
            if settings.place(name) != Place::Nowhere {
                let text = format!("field {} is given twice", name.key());
                return Err(self.wrong(entry.line, entry.column, text));
            }
            let (line, column) = (entry.value.line, entry.value.column);
            let scalar = self.scalar(&entry.value)?;
            if scalar.is_null() {
                continue;
            }
            let text = match name.form() {
                // As Calico's reader has it, which takes words and numbers of YAML 1.1 for what they are.
                Form::Text => scalar.calico_text(),
                Form::Truth => match scalar.as_bool() {
                    Some(value) => Some(value.to_string()),
                    None => return Err(self.wrong(line, column, "write true or false".to_owned())),
                },
                Form::Number | Form::Whole => scalar.calico_text(),
            };
            let text = text.unwrap_or_else(|| scalar.text.to_string());
            let place = self.place(line, column);
            settings.set(name, Setting { text, place })?;
        }
        Ok(())
    }

    /// The entries of a mapping; none of nothing.
    fn mapping<'n, 't>(
        &self,
        node: &'n YamlNode<'t>,
        what: &str,
    ) -> Result<&'n [Entry<'t>], ConfigError> {
        match &node.value {
            Value::Mapping(entries) => Ok(entries),
            Value::Scalar(scalar) if scalar.is_null() => Ok(&[]),
            Value::Scalar(_) | Value::Sequence(_) => {
                Err(self.wrong(node.line, node.column, format!("{what} must be a mapping")))
            }
        }
    }

    fn scalar<'n, 't>(&self, node: &'n YamlNode<'t>) -> Result<&'n Scalar<'t>, ConfigError> {
        match &node.value {
            Value::Scalar(scalar) => Ok(scalar),
            Value::Sequence(_) | Value::Mapping(_) => {
                Err(self.wrong(node.line, node.column, "write a single value".to_owned()))
            }
        }
    }

    fn unknown(&self, entry: &Entry<'_>) -> ConfigError {
        let text = format!("unknown field {:?}", entry.key);
        self.wrong(entry.line, entry.column, text)
    }

    fn wrong(&self, line: u32, column: u32, text: String) -> ConfigError {
        let place = self.place(line, column);
        ConfigError::Syntax { place, text }
    }

    fn place(&self, line: u32, column: u32) -> Place {
        Place::File {
            path: self.path.into(),
            line,
            column,
        }
    }
}
