//! Label selectors: tokens, parser, canonical form, matching (spec `selectors.md`).

use std::collections::BTreeMap;

/// A parsed selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    canonical: String,
}

impl Selector {
    /// The canonical text (SL-036): selectors with equal text are the same selector.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether an object with these labels satisfies the selector.
    #[must_use]
    pub fn matches(&self, _labels: &BTreeMap<String, String>) -> bool {
        false
    }
}
