//! Parser events to trees, within limits.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span as Marks, Tag};

use super::{
    Entry, MAX_ALIAS_COST, MAX_ANCHOR_RATIO, MAX_NESTING, MAX_SYNTAX_ERRORS, Scalar, Sequence,
    Span, Value, YamlNode,
    abridged::{Abridged, Outline},
    input::Text,
    merge,
    span::Offsets,
    syntax::{SyntaxError, error, number, too_deep},
};

/// Content of a file.
#[derive(Clone, Debug, Default)]
pub struct Parsed<'t> {
    /// Its documents, up to the first mistake that leaves the rest without meaning.
    pub documents: Vec<YamlNode<'t>>,
    /// Its mistakes.
    pub errors: Vec<SyntaxError>,
    /// Where its long lists are, if they were not read item by item.
    pub outline: Outline,
}

/// Builds documents from the parser's events, up to the first fatal mistake.
pub(super) fn build<'a, 't>(source: &'a Abridged<'t>) -> Builder<'a, 't> {
    let mut builder = Builder {
        source,
        offsets: Offsets::new(&source.text),
        open: Vec::new(),
        anchors: HashMap::new(),
        alias_cost: 0,
        anchor_cost: 0,
        parsed: Parsed::default(),
    };
    for event in Parser::new(Text::new(&source.text)) {
        let fatal = match event {
            Ok((event, span)) => builder.event(event, span).err(),
            Err(error) => Some(builder.explain(&error)),
        };
        if let Some(error) = fatal {
            builder.parsed.errors.push(error);
            break;
        }
    }
    builder
}

/// A sequence or mapping whose end is not parsed yet.
struct Open<'t> {
    node: YamlNode<'t>,
    anchor: usize,
    /// In a mapping, the key that waits for its value.
    key: Option<Key<'t>>,
}

/// Builds trees of the parser's events.
pub(super) struct Builder<'a, 't> {
    source: &'a Abridged<'t>,
    offsets: Offsets<'a>,
    open: Vec<Open<'t>>,
    pub(super) anchors: HashMap<usize, YamlNode<'t>>,
    alias_cost: usize,
    anchor_cost: usize,
    pub(super) parsed: Parsed<'t>,
}

impl<'t> Builder<'_, 't> {
    fn event(&mut self, event: Event<'_>, marks: Marks) -> Result<(), SyntaxError> {
        let start = marks.start;
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = match tag {
                    Some(tag) => tagged_plain(&tag, &text, start)?,
                    None => style == ScalarStyle::Plain,
                };
                let span = self.scalar_span(&text, style, marks);
                let text = self.borrow(text, span, style);
                let value = Value::Scalar(Scalar { text, plain });
                self.close(self.node(value, start, span), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(Value::Sequence(Sequence::default()), anchor, start)
            }
            Event::MappingStart(anchor, _) => self.begin(Value::Mapping(Vec::new()), anchor, start),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(mut open) => {
                    open.node.span.extend(self.closing(marks));
                    self.repeated_keys(&open.node);
                    merge::resolve(&mut open.node)?;
                    self.close(open.node, open.anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, marks),
        }
    }

    fn begin(&mut self, value: Value<'t>, anchor: usize, start: Marker) -> Result<(), SyntaxError> {
        if self.open.len() == MAX_NESTING {
            return Err(too_deep(start));
        }
        let span = self.span(Marks::empty(start));
        let node = self.node(value, start, span);
        self.open.push(Open {
            node,
            anchor,
            key: None,
        });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: YamlNode<'t>, anchor: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.remember(&node, anchor)?;
        }
        let Some(parent) = self.open.last_mut() else {
            if !matches!(&node.value, Value::Scalar(scalar) if scalar.is_null()) {
                self.parsed.documents.push(node);
            }
            return Ok(());
        };
        parent.node.span.extend(node.span);
        match (&mut parent.node.value, parent.key.take()) {
            (Value::Sequence(items), _) => items.read.push(node),
            (Value::Mapping(entries), Some(key)) => entries.push(Entry {
                key: key.scalar.text,
                plain: key.scalar.plain,
                line: key.line,
                column: key.column,
                value: node,
            }),
            (Value::Mapping(_), None) => parent.key = Some(key_of(node)?),
            (Value::Scalar(_), _) => {}
        }
        Ok(())
    }

    /// Keeps a copy for the aliases of an anchor. Anchors inside of others have copies of their own,
    /// so that together they may be many times the file.
    fn remember(&mut self, node: &YamlNode<'t>, anchor: usize) -> Result<(), SyntaxError> {
        let (_, cost) = node.measure();
        self.anchor_cost = self.anchor_cost.saturating_add(cost);
        let length = self.source.text.len();
        if self.anchor_cost > MAX_ALIAS_COST + MAX_ANCHOR_RATIO * length {
            return Err(SyntaxError {
                line: node.line,
                column: node.column,
                message: format!(
                    "the values with anchors in this file are more than {} MiB in total",
                    (MAX_ALIAS_COST + MAX_ANCHOR_RATIO * length) >> 20
                ),
                advice: "remove the anchors ('&' before a value) that no alias uses",
            });
        }
        self.anchors.insert(anchor, node.clone());
        Ok(())
    }

    fn alias(&mut self, anchor: usize, marks: Marks) -> Result<(), SyntaxError> {
        let start = marks.start;
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(error(
                start,
                "this alias is inside the value that it refers to".to_owned(),
                "write the value out",
            ));
        };
        let (height, cost) = target.measure();
        if self.open.len() + height > MAX_NESTING {
            return Err(too_deep(start));
        }
        self.alias_cost = self.alias_cost.saturating_add(cost);
        if self.alias_cost > MAX_ALIAS_COST {
            return Err(error(
                start,
                format!(
                    "the aliases of this file add more than {} MiB to it",
                    MAX_ALIAS_COST >> 20
                ),
                "write the values out",
            ));
        }
        let copy = YamlNode {
            span: self.span(marks),
            ..target.clone()
        };
        self.close(copy, 0)
    }

    fn repeated_keys(&mut self, node: &YamlNode<'t>) {
        let Value::Mapping(entries) = &node.value else {
            return;
        };
        let mut sorted: Vec<&Entry<'_>> = entries.iter().collect();
        sorted.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in sorted.windows(2) {
            if let [first, second] = pair
                && first.key == second.key
                && self.parsed.errors.len() < MAX_SYNTAX_ERRORS
            {
                self.parsed.errors.push(SyntaxError {
                    line: second.line,
                    column: second.column,
                    message: format!(
                        "key {} is already defined in line {}",
                        second.key.escape_debug(),
                        first.line
                    ),
                    advice: "keep one of the two",
                });
            }
        }
    }

    /// The slice of the file that holds this text, to save the copy.
    fn borrow(&self, text: Cow<'_, str>, span: Span, style: ScalarStyle) -> Cow<'t, str> {
        let quote = usize::from(style != ScalarStyle::Plain);
        let range = span.range();
        let slice = range.and_then(|range| self.source.slice(range.start + quote, text.len()));
        match slice {
            Some(slice) if slice == text => Cow::Borrowed(slice),
            _ => Cow::Owned(text.into_owned()),
        }
    }

    fn node(&self, value: Value<'t>, start: Marker, span: Span) -> YamlNode<'t> {
        YamlNode {
            value,
            line: number(self.source.line(start.line())),
            column: number(start.col() + 1),
            span,
        }
    }

    /// The offsets in the whole text of the parser's marks, if they lead there.
    fn range(&self, marks: Marks) -> Option<Range<usize>> {
        let offset = |mark: Marker| self.source.offset(self.offsets.byte(mark.index()));
        let is_exact = self.source.is_exact();
        is_exact.then(|| offset(marks.start)..offset(marks.end))
    }

    /// The part of the whole text between the parser's marks.
    fn span(&self, marks: Marks) -> Span {
        let range = self.range(marks);
        range.map_or_else(Span::default, |range| Span::new(range.start, range.end))
    }

    /// The part of the whole text that a scalar is. If it is nothing, the parser's marks are those of a token
    /// nearby: it is up to the `:` behind its key.
    fn scalar_span(&self, text: &str, style: ScalarStyle, marks: Marks) -> Span {
        let Some(range) = self.range(marks) else {
            return Span::default();
        };
        if !text.is_empty() || style != ScalarStyle::Plain {
            let scalar = self.source.slice(range.start, range.len());
            let length = scalar.map_or(range.len(), |scalar| scalar.trim_end().len());
            return Span::new(range.start, range.start + length);
        }
        let key = self.open.last().and_then(|open| open.key.as_ref());
        let Some(key) = key.and_then(|key| key.span.range()) else {
            // The mark of an item without value is where the line of its `-` ends.
            let before = self.source.slice(0, range.start).unwrap_or_default();
            let end = before.trim_end().len();
            return Span::new(end, end);
        };
        let rest = self.source.rest(key.end);
        let token = rest.trim_start_matches([' ', '\t']);
        let before = rest.len() - token.len();
        let has_token = token.starts_with(':');
        Span::new(key.end, key.end + usize::from(has_token) * (before + 1))
    }

    /// The end of a collection in flow style; one in block style ends with its last item, wherever the parser
    /// noticed.
    fn closing(&self, marks: Marks) -> Span {
        let span = self.span(marks);
        let closes = |range: Range<usize>| self.source.rest(range.start).starts_with([']', '}']);
        if span.range().is_some_and(closes) {
            span
        } else {
            Span::default()
        }
    }

    fn explain(&self, scan: &ScanError) -> SyntaxError {
        let marker = scan.marker();
        let line = self
            .source
            .text
            .lines()
            .nth(marker.line().saturating_sub(1))
            .unwrap_or_default();
        let advice = match scan.info() {
            info if info.contains("alias") || info.contains("anchor") => {
                "put a text that starts with '*' or '&' in quotes: \"*\""
            }
            info if info.contains("tag") => "put a text that starts with '!' in quotes",
            _ if line.trim_start_matches(' ').starts_with('\t') => "indent with blanks, not tabs",
            info if info.contains("mapping values") => {
                "check the indentation, and put a text that holds ': ' in quotes"
            }
            info if info.contains("quoted") => "close the quotes",
            _ => "check the indentation, the quotes and the brackets here and in the line above",
        };
        error(*marker, scan.info().to_owned(), advice)
    }
}

/// Whether a scalar with this tag may be a number; only the core schema's tags are supported.
fn tagged_plain(tag: &Tag, text: &str, start: Marker) -> Result<bool, SyntaxError> {
    match tag.suffix.as_str() {
        "str" if tag.is_yaml_core_schema() => Ok(false),
        "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => {
            let scalar = Scalar {
                text: Cow::Borrowed(text),
                plain: true,
            };
            let is_meant = match tag.suffix.as_str() {
                "bool" => scalar.as_bool().is_some(),
                "null" => scalar.is_null(),
                _ => scalar.as_number().is_some(),
            };
            if is_meant {
                return Ok(true);
            }
            Err(error(
                start,
                format!("{text:?} does not fit its tag !!{}", tag.suffix),
                "remove the tag",
            ))
        }
        _ => Err(error(
            start,
            format!("'!{}{text}' is a YAML tag, not a text", tag.suffix),
            "put a text that starts with '!' in quotes",
        )),
    }
}

/// A key that waits for its value, and where it starts.
struct Key<'t> {
    scalar: Scalar<'t>,
    line: u32,
    column: u32,
    span: Span,
}

fn key_of(node: YamlNode<'_>) -> Result<Key<'_>, SyntaxError> {
    let refuse = |message: &str, advice| SyntaxError {
        line: node.line,
        column: node.column,
        message: message.to_owned(),
        advice,
    };
    match node.value {
        Value::Scalar(scalar) if scalar.is_null() => Err(refuse(
            "a key is missing here",
            "write a key before the ':'",
        )),
        Value::Scalar(scalar) => Ok(Key {
            scalar,
            line: node.line,
            column: node.column,
            span: node.span,
        }),
        Value::Sequence(_) | Value::Mapping(_) => Err(refuse(
            "a list or mapping cannot be a key",
            "write a word before the ':'",
        )),
    }
}
