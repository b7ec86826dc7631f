//! Texts that the parser takes otherwise than Calico's reader does: control characters, line ends of
//! YAML 1.1, byte order marks of later documents, tabs that indent inside of brackets (RS-306).

use std::borrow::Cow;

use saphyr_parser::Parser;

use super::input::Text;

/// The byte order mark.
const MARK: char = '\u{feff}';
/// Replacement for a tab that indents: deeper than any block around the brackets.
const DEEP: &str = "                                        ";
/// The longest text in which tabs that indent are allowed.
const LONGEST: usize = 1 << 20;

/// The first character that YAML does not allow, and its place.
pub(super) fn unprintable(text: &str) -> Option<(usize, char)> {
    let is_control = |byte: u8| (byte < b' ' && !b"\t\n\r".contains(&byte)) || byte == 0x7f;
    if let Some(at) = text.bytes().position(is_control) {
        return text[at..].chars().next().map(|control| (at, control));
    }
    if text.is_ascii() {
        return None;
    }
    text.char_indices().find(|(_, character)| {
        matches!(character, '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
    })
}

/// The first character that ends a line in YAML 1.1 alone, where that makes a difference: anywhere
/// but at the end of a line that is a comment.
pub(super) fn old_line_end(text: &str) -> Option<(usize, char)> {
    if text.is_ascii() {
        return None;
    }
    let is_end = |character: char| matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some((at, end)) = line
            .char_indices()
            .find(|(_, character)| is_end(*character))
        {
            let is_comment = line.trim_start().starts_with('#');
            let is_last = line[at..]
                .chars()
                .all(|after| is_end(after) || after.is_whitespace());
            if !(is_comment && is_last) {
                return Some((start + at, end));
            }
        }
        start += line.len();
    }
    None
}

/// The text without the byte order marks that later documents begin with.
pub(super) fn without_marks(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut is_start = true;
    let lines = text.split_inclusive('\n').map(|line| {
        let bare = line.strip_prefix(MARK).filter(|_| is_start).unwrap_or(line);
        let (marker, rest) = match bare.get(..3) {
            Some("---" | "...") => (true, &bare[3..]),
            _ => (false, bare),
        };
        let rest = rest.trim_matches([' ', '\t', '\r', '\n']);
        is_start = (is_start || marker) && (rest.is_empty() || rest.starts_with('#'));
        bare
    });
    Cow::Owned(lines.collect())
}

/// The text with blanks in place of the tabs that the lines from this one on start with, if they are
/// inside of brackets, where indentation means nothing.
pub(super) fn with_blanks(text: &str, line: u32) -> Option<String> {
    let before = usize::try_from(line).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
    let (head, tail) = text.split_at_checked(start)?;
    // What is before the brackets close ends too early, and what no brackets hold does not.
    let is_inside = text.len() <= LONGEST && Parser::new(Text::new(head)).any(|it| it.is_err());
    if !is_inside {
        return None;
    }
    let mut blank = head.to_owned();
    let mut is_run = true;
    for line in tail.split_inclusive('\n') {
        let bare = line.trim_start_matches([' ', '\t']);
        let (lead, rest) = line.split_at(line.len() - bare.len());
        is_run &= lead.contains('\t');
        if is_run {
            blank.extend(
                lead.chars()
                    .map(|lead| if lead == '\t' { DEEP } else { " " }),
            );
        } else {
            blank.push_str(lead);
        }
        blank.push_str(rest);
    }
    Some(blank)
}
