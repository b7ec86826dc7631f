//! The verdict that a packet of a case should get.

use serde::{Deserialize, Serialize};

/// Expected verdict of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// It passes.
    Allow,
    /// It is dropped.
    Deny,
}

impl Expect {
    /// The verdict in one word.
    #[must_use]
    pub const fn of(allows: bool) -> Self {
        if allows { Self::Allow } else { Self::Deny }
    }

    /// The word in a case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}
