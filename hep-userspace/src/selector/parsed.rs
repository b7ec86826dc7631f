//! Parsed selectors: what they match, and their canonical form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha224};

use super::{error::SelectorError, expression::Expression, limits::MAX_CHARACTERS, parser};

/// A parsed selector. Two are equal if their canonical texts are.
#[derive(Clone, Debug)]
pub struct Selector {
    canonical: String,
    expression: Expression,
}

impl Selector {
    /// Parses a selector; an empty one is `all()`.
    ///
    /// # Errors
    ///
    /// [`SelectorError`], with the column and what was expected there.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let characters = text.chars().count();
        if characters > MAX_CHARACTERS {
            return Err(SelectorError::TooLong { characters });
        }
        parser::parse(text).map(Self::from)
    }

    /// The selector of everything, `all()`.
    #[must_use]
    pub fn all() -> Self {
        Self::from(Expression::All)
    }

    /// The selector of nothing, `!all()`.
    #[must_use]
    pub fn nothing() -> Self {
        Self::from(Expression::All.negate())
    }

    /// The selector of what has one of these values at `key`; `None` without any.
    #[must_use]
    pub fn one_of(key: &str, values: BTreeSet<String>) -> Option<Self> {
        let is_any = !values.is_empty();
        is_any.then(|| Self::from(Expression::In(key.to_owned(), values)))
    }

    /// `(self) && (!(excluded))`: `selector` and `notSelector` of one side, combined (SL-057).
    #[must_use]
    pub fn except(&self, excluded: &Self) -> Self {
        Self::from(Expression::And(vec![
            self.expression.clone(),
            excluded.expression.clone().negate(),
        ]))
    }

    /// `(self) && (other)`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let operands = [self, other].map(|one| one.expression.clone());
        Self::from(Expression::And(operands.into()))
    }

    /// The same about other labels: those whose keys start with `prefix` here, and `all()` and
    /// `global()` about whether there is a label `marker` (RS-071, RS-103).
    #[must_use]
    pub fn moved(&self, prefix: &str, marker: &str) -> Self {
        Self::from(self.expression.moved(prefix, marker))
    }

    /// The canonical text (SL-036): selectors with equal text are the same selector.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The identity that Calico gives the selector's address set (SL-038).
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha224::digest(format!("s:{}", self.canonical));
        format!("s:{}", URL_SAFE_NO_PAD.encode(digest))
    }

    /// Whether the function `global()` is anywhere in it (RS-063).
    #[must_use]
    pub fn uses_global(&self) -> bool {
        self.expression.uses_global()
    }

    /// Whether an object with these labels satisfies the selector.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// Whether an object without any label satisfies the selector.
    #[must_use]
    pub fn matches_unlabelled(&self) -> bool {
        self.matches_with(|_key| None)
    }

    /// Whether an object satisfies the selector whose labels `label` looks up.
    #[must_use]
    pub fn matches_with<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.expression.holds(&label)
    }
}

impl From<Expression> for Selector {
    fn from(expression: Expression) -> Self {
        Self {
            canonical: expression.to_string(),
            expression,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical)
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Selector {}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.canonical.cmp(&other.canonical)
    }
}

impl std::hash::Hash for Selector {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}
