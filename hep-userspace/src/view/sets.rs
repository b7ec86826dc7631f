//! Selectors of rules, and the objects and addresses that they select.

use schemars::JsonSchema;
use serde::Serialize;

use crate::compile::Description;

/// A selector of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Set {
    /// Canonical text.
    pub selector: String,
    /// Identity: equal for selectors with the same canonical text.
    pub id: String,
    /// Objects that it selects, as `kind/name`.
    pub objects: Vec<String>,
    /// Number of IPv4 and of IPv6 prefixes that it selects.
    pub prefixes: [usize; 2],
}

impl Set {
    /// All selectors of a generation's rules.
    #[must_use]
    pub fn all(description: &Description) -> Vec<Self> {
        let sets = description.sets.iter().map(|set| Self {
            selector: set.selector.clone(),
            id: set.id.clone(),
            objects: set.objects.clone(),
            prefixes: set.prefixes,
        });
        sets.collect()
    }
}
