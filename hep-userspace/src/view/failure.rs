//! The one shape of errors, for every command.

use std::{error::Error, fmt};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Problem, Severity, Version};
use crate::{daemon::control::InvalidProblem, selector::SelectorError, validate};

/// Kind of an error; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// It failed at run time (exit code 1).
    Failed,
    /// The arguments are wrong (2).
    Usage,
    /// The input is invalid; `problems` says where (3).
    Invalid,
    /// The daemon, or the policy in force, cannot be reached (4).
    Unreachable,
    /// A safety check refused, for these `reasons` (5).
    Refused,
}

/// An error. No other document has a field `error`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Failure {
    /// Version of this shape.
    pub version: Version<1>,
    /// The error.
    pub error: Body,
    /// Names from before there was one shape of errors; removed with version 2.
    #[serde(flatten)]
    pub former: Box<Former>,
    /// Whether the log has the problems already, so that text leaves them out.
    #[serde(skip)]
    pub is_logged: bool,
}

/// Description of an error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Body {
    /// Kind, which the exit code tells, too.
    pub kind: FailureKind,
    /// The error in one line.
    pub message: String,
    /// Reasons of a safety check.
    pub reasons: Vec<String>,
    /// Problems of the input, with file, line, column, code and advice.
    pub problems: Vec<Problem>,
}

/// Names from before there was one shape of errors.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Former {
    /// `problems` of an invalid policy directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub errors: Option<Vec<Problem>>,
    /// `reasons` of a safety check.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub refused: Option<Vec<String>>,
    /// The message of a command that failed in the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub failed: Option<String>,
    /// False for an invalid selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub valid: Option<bool>,
    /// Column of an invalid selector's mistake, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub column: Option<usize>,
    /// The mistake in an invalid selector.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub message: Option<String>,
}

impl Failure {
    /// Creates an error with a message alone.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            version: Version,
            error: Body {
                kind,
                message: message.into(),
                reasons: Vec::new(),
                problems: Vec::new(),
            },
            former: Box::default(),
            is_logged: false,
        }
    }

    /// A daemon that fails to do what was requested.
    #[must_use]
    pub fn failed(message: &str) -> Self {
        let mut failure = Self::new(FailureKind::Failed, message);
        failure.former.failed = Some(message.to_owned());
        failure
    }

    /// A refusal of a safety check.
    #[must_use]
    pub fn refused(reasons: Vec<String>) -> Self {
        let mut failure = Self::new(FailureKind::Refused, reasons.join("; "));
        failure.former.refused = Some(reasons.clone());
        failure.error.reasons = reasons;
        failure
    }

    /// An invalid policy: its errors, without its warnings.
    #[must_use]
    pub fn invalid(message: impl Into<String>, found: &[validate::Problem]) -> Self {
        let is_error = |problem: &&validate::Problem| problem.severity == validate::Severity::Error;
        let problems = found.iter().filter(is_error).map(Problem::from);
        Self::new(FailureKind::Invalid, message).with(problems.collect())
    }

    /// A policy that the daemon found invalid.
    #[must_use]
    pub fn submitted(found: &[InvalidProblem]) -> Self {
        let problems: Vec<_> = found.iter().map(Problem::submitted).collect();
        let is_error = |problem: &&Problem| problem.severity == Severity::Error;
        let errors = problems.iter().filter(is_error).count();
        let message = format!("invalid: {errors} errors; the policy in force stays");
        Self::new(FailureKind::Invalid, message).with(problems)
    }

    /// An invalid selector.
    #[must_use]
    pub fn selector(error: &SelectorError) -> Self {
        let mut failure = Self::new(FailureKind::Invalid, format!("selector: {error}"));
        *failure.former = Former {
            valid: Some(false),
            column: Some(error.column()),
            message: Some(error.to_string()),
            ..Former::default()
        };
        failure.error.problems = vec![Problem {
            file: String::new(),
            line: 1,
            column: u32::try_from(error.column()).unwrap_or(u32::MAX),
            kind: String::new(),
            name: String::new(),
            field: "selector".to_owned(),
            severity: Severity::Error,
            code: "E-SELECTOR".to_owned(),
            message: error.to_string(),
            got: None,
            advice: String::new(),
            text: format!("selector: {error}"),
        }];
        failure
    }

    fn with(mut self, problems: Vec<Problem>) -> Self {
        self.former.errors = Some(problems.clone());
        self.error.problems = problems;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error.message)
    }
}

impl Error for Failure {}
