//! State of the mirror of this host's own addresses.

use hep_common::local::OwnState;

/// State of the mirror beside the addresses in it.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    /// It has every address of this host.
    pub(crate) is_complete: bool,
    pub(crate) state: OwnState,
}
