//! Texts to documents, in the quickest way that reads them right.

use std::borrow::Cow;

use super::{
    LONG_LISTS, Span, Value, YamlNode,
    abridged::{Abridged, Outline},
    builder::{Builder, Parsed, build},
    lines::Lines,
    odd,
    syntax::{SyntaxError, number},
};

/// The parser's message for a line that starts with a tab.
const TAB: &str = "tabs disallowed within this context (block indentation)";
/// Most runs of lines that start with tabs.
const MOST_RUNS: usize = 16;

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
    let quick = (!abridged.is_whole()).then(|| parse_abridged(&abridged));
    let parsed = quick.flatten().unwrap_or_else(|| parse_whole(text));
    behind_mark(parsed, bytes.len() - text.len())
}

/// Moves the places in a text behind a byte order mark of so many bytes.
fn behind_mark(mut parsed: Parsed<'_>, bytes: usize) -> Parsed<'_> {
    if bytes > 0 {
        parsed
            .documents
            .iter_mut()
            .for_each(|document| document.shift(bytes));
    }
    parsed
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
        return behind_mark(parsed, bytes.len() - text.len());
    }
    parse(bytes)
}

/// The text after the byte order mark.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
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
    let mut inner = Span::default();
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::Mapping(entries) => {
            for entry in entries {
                put_back(&mut entry.value, next, left_out);
                inner.extend(entry.value.span);
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
                inner.extend(item.span);
                if let Value::Sequence(list) = &mut item.value {
                    list.expand();
                }
                if let (Some(lines), Some([first, second])) = (*next, list.read.get(at..at + 2))
                    && lines.are_behind(first, second)
                {
                    inner.extend(lines.span());
                    list.left_out.push((at + 2, lines));
                    *next = left_out.next();
                }
            }
        }
    }
    node.span.extend(inner);
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

/// Parses a text as a whole.
fn parse_whole(text: &str) -> Parsed<'_> {
    let mut given = odd::without_marks(text);
    for _ in 0..MOST_RUNS {
        let parsed = build(&Abridged::given(text, given.clone())).parsed;
        let tab = parsed.errors.last().filter(|error| error.message == TAB);
        match tab.and_then(|error| odd::with_blanks(&given, error.line)) {
            Some(next) => given = Cow::Owned(next),
            None => return parsed,
        }
    }
    build(&Abridged::given(text, given)).parsed
}
