//! Problems of policy files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    daemon::{control::InvalidProblem, status::ReportedProblem},
    validate,
};

/// Severity of a problem.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The load is refused.
    Error,
    /// The load continues, but probably not as the author meant it.
    Warning,
    /// Worth knowing; nothing needs to change.
    Notice,
}

impl Severity {
    fn of(name: &str) -> Self {
        match name {
            "error" => Self::Error,
            "warning" => Self::Warning,
            _ => Self::Notice,
        }
    }
}

impl From<validate::Severity> for Severity {
    fn from(severity: validate::Severity) -> Self {
        match severity {
            validate::Severity::Error => Self::Error,
            validate::Severity::Warning => Self::Warning,
            validate::Severity::Notice => Self::Notice,
        }
    }
}

/// A problem of a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// File; empty if no file is at fault.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Column, from 1; 0 if there is none.
    pub column: u32,
    /// Kind of the resource; empty if unknown.
    pub kind: String,
    /// Name of the resource; empty if unknown.
    pub name: String,
    /// Path of the field, such as `spec.ingress[0].action`; empty for the resource as a whole.
    pub field: String,
    /// Severity.
    pub severity: Severity,
    /// Stable code: `E-…`, `W-…` or `N-…`, by severity.
    pub code: String,
    /// The mistake, with the offending value and the advice.
    pub message: String,
    /// The offending value.
    pub got: Option<String>,
    /// The text to write instead; empty if there is no advice.
    pub advice: String,
    /// The whole problem as one line, with its place.
    #[serde(default)]
    pub text: String,
}

impl Problem {
    /// The problem of a policy that was submitted to the daemon.
    pub(super) fn submitted(problem: &InvalidProblem) -> Self {
        let read: Result<Self, _> = serde_json::from_value(problem.problem.clone());
        let known = read.unwrap_or_else(|_another_version| Self {
            file: String::new(),
            line: 0,
            column: 0,
            kind: String::new(),
            name: String::new(),
            field: String::new(),
            severity: Severity::of(&problem.severity),
            code: String::new(),
            message: problem.text.clone(),
            got: None,
            advice: String::new(),
            text: String::new(),
        });
        Self {
            text: problem.text.clone(),
            ..known
        }
    }
}

impl From<&validate::Problem> for Problem {
    fn from(problem: &validate::Problem) -> Self {
        Self {
            file: problem.position.origin.to_string(),
            line: problem.position.line,
            column: problem.position.column,
            kind: problem.kind.clone(),
            name: problem.name.clone(),
            field: problem.field.clone(),
            severity: problem.severity.into(),
            code: problem.code.to_string(),
            message: problem.text(),
            got: problem.got.clone(),
            advice: problem.advice.clone(),
            text: problem.to_string(),
        }
    }
}

impl From<&ReportedProblem> for Problem {
    fn from(problem: &ReportedProblem) -> Self {
        Self {
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            kind: problem.kind.clone(),
            name: problem.name.clone(),
            field: problem.field.clone(),
            severity: Severity::of(&problem.severity),
            code: problem.code.clone(),
            message: problem.message.clone(),
            got: problem.got.clone(),
            advice: problem.advice.clone(),
            text: problem.text.clone(),
        }
    }
}
