//! A YAML document as a tree.

use std::borrow::Cow;

use super::{
    Span,
    lines::{Form, Lines},
    syntax::number,
};

/// A value and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlNode<'t> {
    /// The value.
    pub value: Value<'t>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Its text, without comments around it; of an alias, the alias.
    pub span: Span,
}

/// Content of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    /// Text, a number, a truth value or nothing.
    Scalar(Scalar<'t>),
    /// A list.
    Sequence(Sequence<'t>),
    /// Keys with values, in the order of the file, without repeats.
    Mapping(Vec<Entry<'t>>),
}

/// The items of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence<'t> {
    /// Those that the parser read.
    pub(super) read: Vec<YamlNode<'t>>,
    /// Those that it did not, each with the number of read ones before it.
    pub(super) left_out: Vec<(usize, Lines<'t>)>,
}

/// Some items of a list, one after the other.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'s, 't> {
    /// Items as trees.
    Nodes(&'s [YamlNode<'t>]),
    /// Items that are text, one a line.
    Lines(Lines<'t>),
}

impl<'t> Sequence<'t> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let left_out = self.left_out.iter().map(|(_, lines)| lines.count);
        self.read.len() + left_out.sum::<usize>()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    /// All of them as trees; `None` if some are lines (see [`LONG_LISTS`](super::LONG_LISTS)).
    #[must_use]
    pub fn items(&self) -> Option<&[YamlNode<'t>]> {
        self.left_out.is_empty().then_some(&*self.read)
    }

    /// Makes trees of what are lines.
    pub(super) fn expand(&mut self) {
        if self.left_out.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(self.len());
        for piece in self.pieces() {
            match piece {
                Piece::Nodes(nodes) => all.extend_from_slice(nodes),
                Piece::Lines(lines) => all.extend(lines.nodes()),
            }
        }
        self.read = all;
        self.left_out.clear();
    }

    /// All items, in order: the nodes that were read, and the lines that were left out.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_, 't>> {
        let ends = self.left_out.iter().map(|(before, _)| *before);
        let starts = std::iter::once(0).chain(ends.clone());
        let read = starts
            .zip(ends.chain([self.read.len()]))
            .map(|(start, end)| Piece::Nodes(&self.read[start..end]));
        let lines = self.left_out.iter().map(|(_, lines)| Some(*lines));
        read.zip(lines.chain([None]))
            .flat_map(|(nodes, lines)| std::iter::once(nodes).chain(lines.map(Piece::Lines)))
    }
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
    /// The key was written without quotes.
    pub plain: bool,
    /// The key's line, from 1.
    pub line: u32,
    /// The key's column in characters, from 1.
    pub column: u32,
    /// Its value.
    pub value: YamlNode<'t>,
}

impl YamlNode<'_> {
    /// Moves its span and those in it by so many bytes.
    pub(super) fn shift(&mut self, bytes: usize) {
        self.span.shift(bytes);
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::Sequence(list) => list.read.iter_mut().for_each(|item| item.shift(bytes)),
            Value::Mapping(entries) => entries
                .iter_mut()
                .for_each(|entry| entry.value.shift(bytes)),
        }
    }

    /// Whether a list in it, at any depth, has items that are lines.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        match &self.value {
            Value::Scalar(_) => false,
            Value::Sequence(list) => {
                !list.left_out.is_empty() || list.read.iter().any(Self::has_lines)
            }
            Value::Mapping(entries) => entries.iter().any(|entry| entry.value.has_lines()),
        }
    }

    /// The node with the items of all lists as trees.
    #[must_use]
    pub fn expanded(mut self) -> Self {
        self.expand();
        self
    }

    fn expand(&mut self) {
        match &mut self.value {
            Value::Scalar(_) => {}
            Value::Sequence(list) => {
                list.expand();
                list.read.iter_mut().for_each(Self::expand);
            }
            Value::Mapping(entries) => entries.iter_mut().for_each(|entry| entry.value.expand()),
        }
    }

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
            Value::Sequence(items) => inside(&mut items.read.iter().map(YamlNode::measure)),
            Value::Mapping(entries) => inside(&mut entries.iter().map(|entry| {
                let (height, cost) = entry.value.measure();
                (height, cost + entry.key.len())
            })),
        }
    }
}

impl<'t> Lines<'t> {
    /// The items and their places.
    pub fn nodes(&self) -> impl Iterator<Item = YamlNode<'t>> + use<'t> {
        nodes(self.form, self.text, self.line, self.start)
    }

    /// One of the items and its place.
    #[must_use]
    pub fn node(&self, offset: usize) -> Option<YamlNode<'t>> {
        self.nodes().nth(offset)
    }

    /// Whether these two are the lines right before it, as items of one list.
    pub(super) fn are_behind(&self, first: &YamlNode<'_>, second: &YamlNode<'_>) -> bool {
        let count = self.read.split_terminator('\n').count();
        let from = self.line - number(count);
        let mut read = nodes(self.form, self.read, from, self.start - self.read.len());
        [first, second]
            .into_iter()
            .all(|node| read.next().as_ref() == Some(node))
    }
}

/// The items of lines of this form, of which the first has this number and is at `start`.
fn nodes<'t>(
    form: Form,
    lines: &'t str,
    first: u32,
    mut start: usize,
) -> impl Iterator<Item = YamlNode<'t>> + use<'t> {
    let lines = lines.split_terminator('\n').zip(first..);
    lines.map(move |(line, number)| {
        let node = YamlNode {
            value: Value::Scalar(Scalar {
                text: Cow::Borrowed(form.item(line)),
                plain: form.quote.is_none(),
            }),
            line: number,
            column: form.column(),
            span: Span::new(start + form.indent + 2, start + line.len()),
        };
        start += line.len() + 1;
        node
    })
}
