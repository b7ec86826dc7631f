//! `hep validate`: problems of policy files.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Problem, Severity, Version};
use crate::validate;

/// The result of validating policy files.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Validation {
    /// Version of this shape.
    pub version: Version<1>,
    /// Whether the files can be loaded; with `--strict`, whether there are no warnings either.
    pub valid: bool,
    /// Number of resources in valid files.
    pub resources: usize,
    /// Number of errors.
    pub errors: usize,
    /// Number of warnings.
    pub warnings: usize,
    /// Number of notices.
    pub notices: usize,
    /// All problems, by file and line.
    pub problems: Vec<Problem>,
}

impl Validation {
    /// The result of validating files with `resources` resources; if `strict`, warnings are errors.
    #[must_use]
    pub fn new(problems: &[validate::Problem], resources: usize, strict: bool) -> Self {
        let problems: Vec<Problem> = problems.iter().map(Problem::from).collect();
        let count = |severity| {
            let of = |problem: &&Problem| problem.severity == severity;
            problems.iter().filter(of).count()
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        Self {
            version: Version,
            valid: errors == 0 && !(strict && warnings > 0),
            resources,
            errors,
            warnings,
            notices: count(Severity::Notice),
            problems,
        }
    }
}
