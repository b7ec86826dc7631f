//! `hep selector`: a parsed label selector.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Version;
use crate::selector::Selector;

/// A valid selector.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SelectorAnswer {
    /// Version of this shape.
    pub version: Version<1>,
    /// Always true.
    pub valid: bool,
    /// Canonical form.
    pub canonical: String,
    /// Identity: equal for selectors with the same canonical form.
    pub id: String,
    /// Whether it matches the labels that were given; null if none were.
    #[serde(rename = "match")]
    pub matches: Option<bool>,
}

impl SelectorAnswer {
    /// Describes a selector, and matches it against `labels`, if any.
    #[must_use]
    pub fn new(selector: &Selector, labels: Option<&BTreeMap<String, String>>) -> Self {
        Self {
            version: Version,
            valid: true,
            canonical: selector.canonical().to_string(),
            id: selector.id().to_string(),
            matches: labels.map(|labels| selector.matches(labels)),
        }
    }
}
