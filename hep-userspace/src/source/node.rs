//! A YAML document as a tree.

use std::borrow::Cow;

/// A value and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlNode<'t> {
    /// The value.
    pub value: Value<'t>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    /// Text, a number, a truth value or nothing.
    Scalar(Scalar<'t>),
    /// A list.
    Sequence(Vec<YamlNode<'t>>),
    /// Keys with values, in the order of the file, without repeats.
    Mapping(Vec<Entry<'t>>),
}

/// A scalar, not yet resolved to a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar<'t> {
    /// Its text, quotes and escapes removed.
    pub text: Cow<'t, str>,
    /// Written without quotes: what looks like a number is one.
    pub plain: bool,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// The key's text.
    pub key: Cow<'t, str>,
    /// The key's line, from 1.
    pub line: u32,
    /// The key's column in characters, from 1.
    pub column: u32,
    /// Its value.
    pub value: YamlNode<'t>,
}

impl YamlNode<'_> {
    /// How many levels of sequences and mappings this is, and what it costs to copy it.
    pub(super) fn measure(&self) -> (usize, usize) {
        let inside = |children: &mut dyn Iterator<Item = (usize, usize)>| {
            children.fold(
                (1, super::ALIAS_NODE_COST),
                |(height, cost), (inner, more)| (height.max(inner + 1), cost.saturating_add(more)),
            )
        };
        match &self.value {
            Value::Scalar(scalar) => (0, super::ALIAS_NODE_COST + scalar.text.len()),
            Value::Sequence(items) => inside(&mut items.iter().map(YamlNode::measure)),
            Value::Mapping(entries) => inside(&mut entries.iter().map(|entry| {
                let (height, cost) = entry.value.measure();
                (height, cost + entry.key.len())
            })),
        }
    }
}
