//! Lists: from policies in order to rules with predicates, rows and counter slots.

pub(crate) mod blocks;
pub(crate) mod builder;
pub(crate) mod conditions;
pub(crate) mod expand;
pub(crate) mod flatten;
pub(crate) mod flattened;
pub(crate) mod known_lists;
pub(crate) mod known_rows;
pub(crate) mod names;
pub(crate) mod order;
pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod slots;
pub(crate) mod table;
pub(crate) mod templates;
