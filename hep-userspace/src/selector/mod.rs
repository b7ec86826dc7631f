//! Label selectors: tokens, parser, canonical form, matching (spec `selectors.md`).

mod error;
mod expression;
mod limits;
mod parsed;
mod parser;
#[cfg(test)]
mod tests;
mod token;

pub use error::SelectorError;
pub use limits::{MAX_CHARACTERS, MAX_DEPTH};
pub use parsed::Selector;
