//! The mode after a rollback: an earlier policy stays until the store's content changes.

use serde::{Deserialize, Serialize};

/// An earlier policy that was brought back, while the store's content is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// Unix time since when, milliseconds.
    pub since_unix_ms: u64,
    /// Generation of the policy that was brought back.
    pub generation: u32,
    /// Checksum of the store's content that is not followed; `None` until it is known.
    #[serde(alias = "directory")]
    pub overrides: Option<String>,
}

impl Frozen {
    /// The same, with the checksum of the content that is not followed.
    pub(super) fn overriding(self, checksum: String) -> Self {
        Self {
            overrides: Some(checksum),
            ..self
        }
    }

    /// Whether content with the checksum `found` ends this mode: it differs from the content that is
    /// overridden or, if that is not known, is the policy in force.
    #[must_use]
    pub fn ends_with(&self, found: &str, in_force: Option<&str>) -> bool {
        match &self.overrides {
            Some(overridden) => overridden != found,
            None => in_force == Some(found),
        }
    }
}
