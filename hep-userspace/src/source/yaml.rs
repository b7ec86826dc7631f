//! Parser events to trees, within limits.

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{
    Entry, LONG_LISTS, MAX_ALIAS_COST, MAX_ANCHOR_RATIO, MAX_NESTING, MAX_SYNTAX_ERRORS, Scalar,
    Sequence, Value, YamlNode,
    input::Text,
    lines::{Abridged, Lines, Outline},
    merge, odd,
};

/// A mistake in YAML or JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}; {advice}")]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The mistake.
    pub message: String,
    /// The text to write instead.
    pub advice: &'static str,
}

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

/// Parses a file that may hold several documents; JSON is YAML.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let text = match printable(without_mark(bytes)) {
        Ok(text) => text,
        Err(error) => {
            return Parsed {
                errors: vec![error],
                ..Parsed::default()
            };
        }
    };
    let abridged = Abridged::new(text);
    if !abridged.is_whole()
        && let Some(parsed) = parse_abridged(&abridged)
    {
        return parsed;
    }
    odd::build_whole(text)
}

/// Parses a new version of a file that had this outline and no errors as `former`: faster than [`parse`] if
/// only lines of a long list have changed.
#[must_use]
pub fn parse_again<'t>(bytes: &'t [u8], former: &'t [u8], outline: &Outline) -> Parsed<'t> {
    let [text, before] = [bytes, former].map(|text| std::str::from_utf8(without_mark(text)));
    if let (Ok(text), Ok(former)) = (text, before)
        && let Some(abridged) = Abridged::again(text, former, outline)
        && let Some(parsed) = parse_abridged(&abridged)
    {
        return parsed;
    }
    parse(bytes)
}

/// The text after the byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Builds documents from the parser's events, up to the first fatal mistake.
pub(super) fn build<'a, 't>(source: &'a Abridged<'t>) -> Builder<'a, 't> {
    let mut builder = Builder {
        source,
        is_ascii: source.is_ascii(),
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

/// Parses an abridged text; `None` if it has mistakes, whose places only the whole text gives right, or if
/// its meaning differs from the whole.
fn parse_abridged<'t>(source: &Abridged<'t>) -> Option<Parsed<'t>> {
    let Builder {
        anchors,
        mut parsed,
        ..
    } = build(source);
    // A copy of a list must not miss what was left out.
    if !parsed.errors.is_empty() || !anchors.is_empty() {
        return None;
    }
    let mut left_out = source.lines().into_iter();
    let mut next = left_out.next();
    for document in &mut parsed.documents {
        put_back(document, &mut next, &mut left_out);
        if let Value::Sequence(list) = &mut document.value {
            list.expand();
        }
    }
    parsed.outline = source.outline.clone();
    next.is_none().then_some(parsed)
}

/// Puts the lines that were left out into the lists that they were left out of, in the order of the
/// text.
fn put_back<'t>(
    node: &mut YamlNode<'t>,
    next: &mut Option<Lines<'t>>,
    left_out: &mut impl Iterator<Item = Lines<'t>>,
) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Mapping(entries) => {
            for entry in entries {
                put_back(&mut entry.value, next, left_out);
                if let Value::Sequence(list) = &mut entry.value.value
                    && !LONG_LISTS.contains(&&*entry.key)
                {
                    list.expand();
                }
            }
        }
        Value::Sequence(list) => {
            for at in 0..list.read.len() {
                let item = &mut list.read[at];
                put_back(item, next, left_out);
                if let Value::Sequence(list) = &mut item.value {
                    list.expand();
                }
                if let (Some(lines), Some([first, second])) = (*next, list.read.get(at..at + 2))
                    && lines.are_behind(first, second)
                {
                    list.left_out.push((at + 2, lines));
                    *next = left_out.next();
                }
            }
        }
    }
}

/// The text, if it is UTF-8 without control characters. The parser takes NUL for the end.
fn printable(bytes: &[u8]) -> Result<&str, SyntaxError> {
    let (message, advice, at) = match std::str::from_utf8(bytes) {
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("byte 0x{:02x} is not UTF-8", bytes[at]);
            (message, "save the file as UTF-8", at)
        }
        Ok(text) => {
            if let Some((at, control)) = odd::unprintable(text) {
                let message = format!("control character 0x{:02x}", u32::from(control));
                (message, "remove it", at)
            } else if let Some((at, end)) = odd::old_line_end(text) {
                let code = u32::from(end);
                let message =
                    format!("character U+{code:04X} ends a line in YAML 1.1, and not in 1.2");
                (
                    message,
                    "write a line feed, or an escape in double quotes",
                    at,
                )
            } else {
                return Ok(text);
            }
        }
    };
    let before = &bytes[..at];
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    Err(SyntaxError {
        line: number(1 + before.iter().filter(|byte| **byte == b'\n').count()),
        column: number(
            1 + String::from_utf8_lossy(&before[line_start..])
                .chars()
                .count(),
        ),
        message,
        advice,
    })
}

pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A sequence or mapping whose end is not parsed yet.
struct Open<'t> {
    node: YamlNode<'t>,
    anchor: usize,
    /// In a mapping, the key that waits for its value.
    key: Option<Key<'t>>,
}

pub(super) struct Builder<'a, 't> {
    source: &'a Abridged<'t>,
    is_ascii: bool,
    open: Vec<Open<'t>>,
    anchors: HashMap<usize, YamlNode<'t>>,
    alias_cost: usize,
    anchor_cost: usize,
    pub(super) parsed: Parsed<'t>,
}

impl<'t> Builder<'_, 't> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let start = span.start;
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
                let text = self.borrow(text, span, style);
                let node = self.node(Value::Scalar(Scalar { text, plain }), start);
                self.close(node, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(Value::Sequence(Sequence::default()), anchor, start)
            }
            Event::MappingStart(anchor, _) => self.begin(Value::Mapping(Vec::new()), anchor, start),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(mut open) => {
                    self.repeated_keys(&open.node);
                    merge::resolve(&mut open.node)?;
                    self.close(open.node, open.anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, start),
        }
    }

    fn begin(&mut self, value: Value<'t>, anchor: usize, start: Marker) -> Result<(), SyntaxError> {
        if self.open.len() == MAX_NESTING {
            return Err(too_deep(start));
        }
        let node = self.node(value, start);
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

    fn alias(&mut self, anchor: usize, start: Marker) -> Result<(), SyntaxError> {
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
        let copy = target.clone();
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
        let start = span.start.index() + quote;
        match self.source.slice(start, text.len()) {
            Some(slice) if self.is_ascii && slice == text => Cow::Borrowed(slice),
            _ => Cow::Owned(text.into_owned()),
        }
    }

    fn node(&self, value: Value<'t>, start: Marker) -> YamlNode<'t> {
        YamlNode {
            value,
            line: number(self.source.line(start.line())),
            column: number(start.col() + 1),
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

fn error(marker: Marker, message: String, advice: &'static str) -> SyntaxError {
    SyntaxError {
        line: number(marker.line()),
        column: number(marker.col() + 1),
        message,
        advice,
    }
}

fn too_deep(start: Marker) -> SyntaxError {
    error(
        start,
        format!("more than {MAX_NESTING} levels of nested lists and mappings"),
        "no resource needs that many",
    )
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
        }),
        Value::Sequence(_) | Value::Mapping(_) => Err(refuse(
            "a list or mapping cannot be a key",
            "write a word before the ':'",
        )),
    }
}
