//! Sets of positions, and the addresses that selectors select.

pub(crate) mod labels;
pub(crate) mod position_set;
pub(crate) mod ranges;
pub(crate) mod selected;
pub(crate) mod union;
