//! `hep validate --list-codes`: the codes of problems.

use schemars::JsonSchema;
use serde::Serialize;

use super::Version;
use crate::validate;

/// The codes of problems.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Codes {
    /// Version of this shape.
    pub version: Version<1>,
    /// The codes, in the order of the page.
    pub items: Vec<Code>,
}

/// A code of problems.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Code {
    /// The code.
    pub code: String,
    /// `error`, `warning` or `notice`.
    pub severity: String,
    /// Its meaning.
    pub meaning: String,
}

impl Codes {
    /// All codes.
    #[must_use]
    pub fn all() -> Self {
        let item = |code: validate::Code| Code {
            code: code.to_string(),
            severity: code.severity().name().to_owned(),
            meaning: code.meaning().to_owned(),
        };
        Self {
            version: Version,
            items: validate::Code::ALL.map(item).into(),
        }
    }
}
