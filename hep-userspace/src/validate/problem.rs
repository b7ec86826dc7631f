//! One problem of the input, and its text.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{code::Code, severity::Severity};
use crate::{model::Position, printable::Printable};

/// A problem of the input (RS-213).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// Where it is.
    pub position: Position,
    /// The resource's kind; empty if that is unknown.
    pub kind: String,
    /// The resource's name; empty if that is unknown.
    pub name: String,
    /// Path of the field, such as `spec.ingress[0].action`; empty for the resource as a whole.
    pub field: String,
    /// The mistake.
    pub message: String,
    /// The offending value.
    pub got: Option<String>,
    /// The text to write instead.
    pub advice: String,
}

impl Problem {
    /// The message with the value and the advice: everything but the place.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.message.clone();
        if let Some(got) = &self.got {
            text.push_str(&format!(" (got: {got})"));
        }
        if !self.advice.is_empty() {
            text.push_str(&format!("; {}", self.advice));
        }
        text
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: Kind/name: field: text (got: value); advice`, with the severity after the
    /// column unless it is an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        if self.position.column > 0 {
            write!(f, ":{}", self.position.column)?;
        }
        if self.severity != Severity::Error {
            write!(f, ": {}", self.severity.name())?;
        }
        if !self.kind.is_empty() {
            write!(f, ": {}", Printable(&self.kind))?;
            if !self.name.is_empty() {
                write!(f, "/{}", Printable(&self.name))?;
            }
        }
        if !self.field.is_empty() {
            write!(f, ": {}", Printable(&self.field))?;
        }
        write!(f, ": {}", Printable(self.text()))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Problem", 11)?;
        object.serialize_field("file", &self.position.origin.to_string())?;
        object.serialize_field("line", &self.position.line)?;
        object.serialize_field("column", &self.position.column)?;
        object.serialize_field("kind", &self.kind)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("field", &self.field)?;
        object.serialize_field("severity", self.severity.name())?;
        object.serialize_field("code", &self.code)?;
        object.serialize_field("message", &self.text())?;
        object.serialize_field("got", &self.got)?;
        object.serialize_field("advice", &self.advice)?;
        object.end()
    }
}
