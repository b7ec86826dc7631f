//! Foreign text on a terminal, in a log line or in an error: names, paths, labels and keys come
//! from files, interface names from whoever makes interfaces, and none of them may move the cursor,
//! reorder a line or begin a new one.
//!
//! Every sink of the program (the log, standard output and error, the service manager's status)
//! escapes by these types, so no message needs care where it is composed. What composes several
//! lines escapes each of them ([`lines`]), since the sink cannot know which breaks were meant.

use std::fmt::{self, Display, Write};

/// One line: characters that are not for print appear as escapes such as `\n` and `\u{1b}`.
///
/// Escaped are control characters (C0, DEL, C1), line and paragraph separators, and what has no
/// shape of its own: marks and overrides of direction, zero-width characters, tags.
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

/// Several lines: as [`Printable`], but for line feeds.
#[derive(Clone, Copy, Debug)]
pub struct PrintableText<T>(pub T);

impl<T: Display> Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            Escape {
                out: f,
                keeps: None
            },
            "{}",
            self.0
        )
    }
}

impl<T: Display> Display for PrintableText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keeps = Some('\n');
        write!(Escape { out: f, keeps }, "{}", self.0)
    }
}

/// Joins lines, each printable by itself.
pub fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> String {
    let lines = lines.into_iter().map(|line| Printable(line).to_string());
    lines.collect::<Vec<_>>().join("\n")
}

/// The same JSON with `\u` escapes for what is not for print: the standard has only C0 escaped.
#[must_use]
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Between values there are line feeds, within them none.
        if character == '\n' || !is_unprintable(character) {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            escaped.push_str(&format!("\\u{unit:04x}"));
        }
    }
    escaped
}

struct Escape<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    keeps: Option<char>,
}

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let is_odd = |c: char| is_unprintable(c) && self.keeps != Some(c);
        while let Some(at) = rest.find(is_odd) {
            let (plain, odd) = rest.split_at(at);
            self.out.write_str(plain)?;
            let mut characters = odd.chars();
            if let Some(character) = characters.next() {
                write!(self.out, "{}", character.escape_default())?;
            }
            rest = characters.as_str();
        }
        self.out.write_str(rest)
    }
}

/// Whether a character is not for print. The ranges are Unicode's general categories Cc, Cf, Zl and
/// Zp, but for the signs before Arabic, Syriac and Kaithi numbers, which have a shape.
const fn is_unprintable(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_breaks_the_line_is_escaped() {
        for (text, printed) in [
            ("web-é-ß-日本", "web-é-ß-日本"),
            ("a\\n", "a\\n"),
            ("a\nb\r\t", "a\\nb\\r\\t"),
            (
                "\u{1b}[2J\u{7f}\u{9b}31m\0",
                "\\u{1b}[2J\\u{7f}\\u{9b}31m\\u{0}",
            ),
            (
                "\u{202e}x\u{2066}\u{200f}\u{61c}",
                "\\u{202e}x\\u{2066}\\u{200f}\\u{61c}",
            ),
            ("\u{2028}\u{2029}\u{feff}", "\\u{2028}\\u{2029}\\u{feff}"),
        ] {
            assert_eq!(Printable(text).to_string(), printed);
            let kept = printed.replace("a\\nb", "a\nb");
            assert_eq!(PrintableText(text).to_string(), kept);
        }
        assert_eq!(lines(["a\nb", "c"]), "a\\nb\nc");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "na\u{202e}me": "\u{1b}\n\u{9b}\u{e0041}\"é\u{7f}" });
        let text = json(&serde_json::to_string_pretty(&value).expect("it is JSON"));
        assert!(
            text.chars().all(|c| c == '\n' || !is_unprintable(c)),
            "{text}"
        );
        let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(read, value);
    }
}
