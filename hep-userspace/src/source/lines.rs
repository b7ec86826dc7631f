//! Lines of long lists, each a plain item of one form.

use super::Span;

/// Lines of a list that the parser did not read: each is `indent` blanks, `- `, an item, and
/// a line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines<'t> {
    /// The lines.
    pub text: &'t str,
    /// Number of the first line, from 1.
    pub line: u32,
    /// How many there are.
    pub count: usize,
    /// The lines that were changed since the previous version, if that is known.
    pub edit: Option<Edit<'t>>,
    /// Where they start in the text.
    pub(super) start: usize,
    /// The lines before them, which the parser read.
    pub(super) read: &'t str,
    pub(super) form: Form,
}

/// The one difference between a text and its previous version: some lines of a list replaced others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'t> {
    pub(super) gone: &'t str,
    pub(super) come: &'t str,
    pub(super) form: Form,
}

impl<'t> Edit<'t> {
    /// The items that are no more.
    pub fn gone(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.form.items(self.gone)
    }

    /// The items that are new.
    pub fn come(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.form.items(self.come)
    }
}

impl<'t> Lines<'t> {
    /// The whole of them.
    pub(super) fn span(&self) -> Span {
        Span::new(self.start, self.start + self.text.trim_end().len())
    }

    /// The texts of the items.
    pub fn items(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.form.items(self.text)
    }
}

/// The shape that all lines of a block share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Blanks before the dash.
    pub(super) indent: usize,
    /// The quotes around the item.
    pub(super) quote: Option<u8>,
}

impl Form {
    /// The form of the line that `text` starts with, and its length with the line feed. `None` if
    /// it is anything but an item that means itself: a plain one of digits, letters up to `f`, `.`,
    /// `:` and `/` is neither a key nor an anchor, a tag, a comment or the start of something longer.
    pub(super) fn of(text: &[u8]) -> Option<(Self, usize)> {
        let indent = text.iter().position(|byte| *byte != b' ')?;
        let rest = text.get(indent..)?.strip_prefix(b"- ")?;
        let quote = rest
            .first()
            .copied()
            .filter(|byte| matches!(byte, b'"' | b'\''));
        let item = &rest[usize::from(quote.is_some())..];
        let length = item.iter().position(|byte| !IS_PART[usize::from(*byte)])?;
        let (first, last) = (item.first()?, item[..length].last()?);
        let is_whole = match quote {
            Some(quote) => item[length..].starts_with(&[quote, b'\n']),
            None => item[length] == b'\n' && first.is_ascii_hexdigit() && last.is_ascii_hexdigit(),
        };
        let quotes = 2 * usize::from(quote.is_some());
        is_whole.then_some((Self { indent, quote }, indent + 2 + quotes + length + 1))
    }

    /// Whether all of these lines have this form.
    pub(super) fn has_all(self, lines: &str) -> bool {
        lines
            .as_bytes()
            .split_inclusive(|byte| *byte == b'\n')
            .all(|line| Self::of(line) == Some((self, line.len())))
    }

    /// The items of lines of this form.
    fn items(self, lines: &str) -> impl Iterator<Item = &str> + use<'_> {
        lines
            .split_terminator('\n')
            .map(move |line| self.item(line))
    }

    /// The item of a line of this form, which has no line feed.
    pub(super) fn item(self, line: &str) -> &str {
        let quote = usize::from(self.quote.is_some());
        line.get(self.indent + 2 + quote..line.len() - quote)
            .unwrap_or_default()
    }

    /// Where the items start.
    pub(super) fn column(self) -> u32 {
        super::syntax::number(self.indent + 3)
    }
}

/// Bytes that an address or network is written with.
const IS_PART: [bool; 256] = {
    let mut is_part = [false; 256];
    let parts = b"0123456789abcdefABCDEF.:/";
    let mut at = 0;
    while at < parts.len() {
        is_part[parts[at] as usize] = true;
        at += 1;
    }
    is_part
};
