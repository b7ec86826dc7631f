//! Counter slots of rules: stable across generations, so that counters and flows keep their rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which counter slot each rule has. A rule's identity is a text of everything that makes it that
/// rule: list owner, direction, kind, policy, place, and its content. Slot 0 is never given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Slot by identity.
    pub by_identity: BTreeMap<String, u32>,
}
