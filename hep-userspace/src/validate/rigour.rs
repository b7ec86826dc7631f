//! How strictly a text is read.

/// How strictly a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rigour {
    /// A file of an author who sees the refusal: what is not understood is a mistake (RS-003).
    Strict,
    /// An object of a store, which other versions of other tools may have written: what is not understood
    /// is no mistake (DS-041), and conditions that cannot be judged narrow their rule (DS-316).
    Stored,
    /// An object of a store that is not valid and never was: what can be read of it (DS-312).
    Remains,
}
