//! Limits of a selector.

/// Most characters in a selector (RS-302): what hep compares and prints stays of a bounded size.
pub const MAX_CHARACTERS: usize = 65_536;
/// Most parentheses inside each other (SL-019).
pub const MAX_DEPTH: usize = 64;
