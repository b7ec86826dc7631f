//! The syntax tree: what it means for labels, and its canonical text.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

/// A selector's syntax tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// `all()`.
    All,
    /// `global()`: true of everything, but see [`Self::moved`].
    Global,
    /// `has(key)`.
    Has(String),
    /// `key operator "value"`.
    Compare(String, Comparison, String),
    /// `key in {…}`.
    In(String, BTreeSet<String>),
    /// `key not in {…}`.
    NotIn(String, BTreeSet<String>),
    /// `!operand`.
    Not(Box<Expression>),
    /// Two or more operands.
    And(Vec<Expression>),
    /// Two or more operands.
    Or(Vec<Expression>),
}

/// An operator between a key and a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
}

impl Comparison {
    const fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Contains => "contains",
            Self::StartsWith => "starts with",
            Self::EndsWith => "ends with",
        }
    }
}

impl Expression {
    /// `!self`, without ever stacking one negation on another.
    pub(super) fn negate(self) -> Self {
        match self {
            Self::Not(operand) => *operand,
            Self::All
            | Self::Global
            | Self::Has(_)
            | Self::Compare(..)
            | Self::In(..)
            | Self::NotIn(..)
            | Self::And(_)
            | Self::Or(_) => Self::Not(Box::new(self)),
        }
    }

    /// Whether `global()` is part of it.
    pub(super) fn uses_global(&self) -> bool {
        match self {
            Self::Global => true,
            Self::All | Self::Has(_) | Self::Compare(..) | Self::In(..) | Self::NotIn(..) => false,
            Self::Not(operand) => operand.uses_global(),
            Self::And(operands) | Self::Or(operands) => operands.iter().any(Self::uses_global),
        }
    }

    /// The same about the labels whose keys start with `prefix`; `all()` is whether there is a label
    /// `marker`, and `global()` whether there is none.
    pub(super) fn moved(&self, prefix: &str, marker: &str) -> Self {
        let key = |key: &str| format!("{prefix}{key}");
        let each = |operands: &[Self]| {
            operands
                .iter()
                .map(|one| one.moved(prefix, marker))
                .collect()
        };
        match self {
            Self::All => Self::Has(marker.to_owned()),
            Self::Global => Self::Has(marker.to_owned()).negate(),
            Self::Has(label) => Self::Has(key(label)),
            Self::Compare(label, comparison, literal) => {
                Self::Compare(key(label), *comparison, literal.clone())
            }
            Self::In(label, set) => Self::In(key(label), set.clone()),
            Self::NotIn(label, set) => Self::NotIn(key(label), set.clone()),
            Self::Not(operand) => operand.moved(prefix, marker).negate(),
            Self::And(operands) => Self::And(each(operands)),
            Self::Or(operands) => Self::Or(each(operands)),
        }
    }

    /// Whether the expression holds for an object whose labels `label` looks up (SL-021 to SL-032).
    pub(super) fn holds<'l>(&self, label: &impl Fn(&str) -> Option<&'l str>) -> bool {
        match self {
            Self::All | Self::Global => true,
            Self::Has(key) => label(key).is_some(),
            Self::Compare(key, comparison, literal) => {
                let literal = literal.as_str();
                match (label(key), comparison) {
                    (None, comparison) => *comparison == Comparison::NotEqual,
                    (Some(value), Comparison::Equal) => value == literal,
                    (Some(value), Comparison::NotEqual) => value != literal,
                    (Some(value), Comparison::Contains) => value.contains(literal),
                    (Some(value), Comparison::StartsWith) => value.starts_with(literal),
                    (Some(value), Comparison::EndsWith) => value.ends_with(literal),
                }
            }
            Self::In(key, set) => label(key).is_some_and(|value| set.contains(value)),
            Self::NotIn(key, set) => label(key).is_none_or(|value| !set.contains(value)),
            Self::Not(operand) => !operand.holds(label),
            Self::And(operands) => operands.iter().all(|operand| operand.holds(label)),
            Self::Or(operands) => operands.iter().any(|operand| operand.holds(label)),
        }
    }
}

impl fmt::Display for Expression {
    /// The canonical text (SL-036).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all()"),
            Self::Global => f.write_str("global()"),
            Self::Has(key) => write!(f, "has({key})"),
            Self::Compare(key, comparison, literal) => {
                write!(f, "{key} {} {}", comparison.text(), Quoted(literal))
            }
            Self::In(key, set) => write!(f, "{key} in {}", Set(set)),
            Self::NotIn(key, set) => write!(f, "{key} not in {}", Set(set)),
            Self::Not(operand) => write!(f, "!{operand}"),
            Self::And(operands) => write_chain(f, operands, " && "),
            Self::Or(operands) => write_chain(f, operands, " || "),
        }
    }
}

fn write_chain(f: &mut fmt::Formatter<'_>, operands: &[Expression], operator: &str) -> fmt::Result {
    let mut separator = "(";
    for operand in operands {
        write!(f, "{separator}{operand}")?;
        separator = operator;
    }
    f.write_char(')')
}

/// A literal in double quotes, or in single ones if it holds a double one. It never holds both.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('"') { '\'' } else { '"' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}

struct Set<'t>(&'t BTreeSet<String>);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, item) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Quoted(item))?;
        }
        f.write_char('}')
    }
}
