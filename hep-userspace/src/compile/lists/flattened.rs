//! State of the flattening, from generation to generation.

use super::{blocks::Blocks, expand::Spaces, rules::Rules, templates::Templates};

/// Numbers that were given, and rules as they were expanded.
#[derive(Debug, Default)]
pub(crate) struct Flattened {
    pub(crate) spaces: Spaces,
    pub(crate) rules: Rules,
    pub(crate) blocks: Blocks,
    pub(crate) templates: Templates,
}

impl Flattened {
    /// Whether most of it is of earlier generations.
    pub(crate) fn is_cluttered(&self) -> bool {
        self.spaces.is_cluttered() || self.rules.is_cluttered()
    }
}
