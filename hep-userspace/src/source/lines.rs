//! Long lists of plain items, one per line: found in the text, so that the parser need not read each.
//!
//! In a block of lines that differ only in their item (`  - 192.0.2.0/24`), the parser gets only the first
//! two. If it parses these as neighbours in a list, it would have parsed all later ones as items of that
//! list too: the second left it in the state in which it found it, and so would each further one. If it
//! does not (the block may be in a quoted text, or what follows the block may continue its last item), it
//! gets the whole text.

use std::{borrow::Cow, ops::Range};

use super::{Scalar, Value, YamlNode};

/// Fewest lines of a block that are worth leaving out.
const FEWEST: usize = 512;

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
    /// The lines before them, which the parser read.
    read: &'t str,
    form: Form,
}

/// The one difference between a text and its previous version: some lines of a list replaced others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'t> {
    gone: &'t str,
    come: &'t str,
    form: Form,
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
    /// The items and their places.
    pub fn nodes(&self) -> impl Iterator<Item = YamlNode<'t>> + use<'t> {
        let (form, first) = (self.form, self.line);
        self.text
            .split_terminator('\n')
            .zip(first..)
            .map(move |(line, number)| form.node(line, number))
    }

    /// One of the items and its place.
    #[must_use]
    pub fn node(&self, offset: usize) -> Option<YamlNode<'t>> {
        self.nodes().nth(offset)
    }

    /// The texts of the items.
    pub fn items(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.form.items(self.text)
    }
}

/// The shape that all lines of a block share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    /// Blanks before the dash.
    indent: usize,
    /// The quotes around the item.
    quote: Option<u8>,
}

impl Form {
    /// The form of the line that `text` starts with, and its length with the line feed. `None` if
    /// it is anything but an item that means itself: a plain one of digits, letters up to `f`, `.`,
    /// `:` and `/` is neither a key nor an anchor, a tag, a comment or the start of something longer.
    fn of(text: &[u8]) -> Option<(Self, usize)> {
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
    fn has_all(self, lines: &str) -> bool {
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
    fn item(self, line: &str) -> &str {
        let quote = usize::from(self.quote.is_some());
        line.get(self.indent + 2 + quote..line.len() - quote)
            .unwrap_or_default()
    }

    fn node(self, line: &str, number: u32) -> YamlNode<'_> {
        YamlNode {
            value: Value::Scalar(Scalar {
                text: Cow::Borrowed(self.item(line)),
                plain: self.quote.is_none(),
            }),
            line: number,
            column: self.column(),
        }
    }

    /// Where the items start.
    fn column(self) -> u32 {
        super::yaml::number(self.indent + 3)
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

/// Lines at the start of a block that the parser reads.
const READ: usize = 2;

/// A block of lines of one form.
#[derive(Clone, Debug)]
struct Block {
    /// All of its lines.
    start: usize,
    /// Those that the parser does not read.
    left_out: Range<usize>,
    /// Lines of the text before `left_out`.
    lines_before: usize,
    /// How many lines are left out.
    count: usize,
    form: Form,
}

impl Block {
    /// The block of `count` lines, more than [`READ`], at `bytes` of the text after `lines_before` lines.
    fn new(
        text: &[u8],
        bytes: Range<usize>,
        lines_before: usize,
        count: usize,
        form: Form,
    ) -> Option<Self> {
        let mut ends = memchr::memchr_iter(b'\n', text.get(bytes.clone())?);
        let read_bytes = ends.nth(READ - 1)? + 1;
        Some(Self {
            start: bytes.start,
            left_out: bytes.start + read_bytes..bytes.end,
            lines_before: lines_before + READ,
            count: count.checked_sub(READ).filter(|count| *count > 0)?,
            form,
        })
    }
}

/// Where the long blocks of a text are.
#[derive(Clone, Debug, Default)]
pub struct Outline(Vec<Block>);

/// A text and what the parser need not read of it.
pub(super) struct Abridged<'t> {
    /// The text as a whole.
    whole: &'t str,
    /// The abridged text, for the parser.
    pub(super) text: Cow<'t, str>,
    pub(super) outline: Outline,
    /// The difference to the previous version, and the number of the block that it is in.
    edit: Option<(usize, Edit<'t>)>,
}

impl<'t> Abridged<'t> {
    /// Leaves nothing out.
    pub(super) const fn whole(text: &'t str) -> Self {
        Self::given(text, Cow::Borrowed(text))
    }

    /// Leaves nothing out, but the parser reads `given` in place of the text, which has the same lines,
    /// but for what is before their first token.
    pub(super) const fn given(text: &'t str, given: Cow<'t, str>) -> Self {
        Self {
            whole: text,
            text: given,
            outline: Outline(Vec::new()),
            edit: None,
        }
    }

    /// Whether the text is ASCII as a whole, so that characters count as bytes.
    pub(super) fn is_ascii(&self) -> bool {
        self.whole.is_ascii()
    }

    /// Leaves long blocks out.
    pub(super) fn new(text: &'t str) -> Self {
        Self::with(text, blocks(text.as_bytes()))
    }

    /// Abridges a text with the `outline` of its `former` version; `None` unless all changed lines are in
    /// one of its blocks.
    pub(super) fn again(text: &'t str, former: &'t str, outline: &Outline) -> Option<Self> {
        let (start, [end, former_end]) = changed_lines(text.as_bytes(), former.as_bytes());
        let is_around = |block: &Block| block.start <= start && former_end <= block.left_out.end;
        let at = outline.0.iter().position(is_around)?;
        let Block { form, .. } = outline.0[at];
        let (gone, come) = (former.get(start..former_end)?, text.get(start..end)?);
        if !form.has_all(come) {
            return None;
        }
        let lines = |text: &str| memchr::memchr_iter(b'\n', text.as_bytes()).count();
        let (lines_gone, lines_come) = (lines(gone), lines(come));
        let mut blocks = outline.0.clone();
        let block = &blocks[at];
        blocks[at] = Block::new(
            text.as_bytes(),
            block.start..block.left_out.end - gone.len() + come.len(),
            block.lines_before - READ,
            block.count + READ - lines_gone + lines_come,
            form,
        )?;
        for block in &mut blocks[at + 1..] {
            block.lines_before = block.lines_before - lines_gone + lines_come;
            for place in [
                &mut block.start,
                &mut block.left_out.start,
                &mut block.left_out.end,
            ] {
                *place = *place - gone.len() + come.len();
            }
        }
        let edit = Edit { gone, come, form };
        Some(Self {
            edit: Some((at, edit)),
            ..Self::with(text, blocks)
        })
    }

    fn with(text: &'t str, blocks: Vec<Block>) -> Self {
        if blocks.is_empty() {
            return Self::whole(text);
        }
        let mut abridged = String::new();
        let mut from = 0;
        for block in &blocks {
            abridged.push_str(&text[from..block.left_out.start]);
            from = block.left_out.end;
        }
        abridged.push_str(&text[from..]);
        Self {
            whole: text,
            text: Cow::Owned(abridged),
            outline: Outline(blocks),
            edit: None,
        }
    }

    /// Whether nothing was left out.
    pub(super) const fn is_whole(&self) -> bool {
        self.outline.0.is_empty()
    }

    /// The number in the whole text of a line of the abridged one, both from 1.
    pub(super) fn line(&self, line: usize) -> usize {
        let mut left_out = 0;
        for block in &self.outline.0 {
            if line + left_out <= block.lines_before {
                break;
            }
            left_out += block.count;
        }
        line + left_out
    }

    /// The part of the whole text that the abridged one has at `start`, `length` bytes long.
    pub(super) fn slice(&self, start: usize, length: usize) -> Option<&'t str> {
        let mut start = start;
        for block in &self.outline.0 {
            if start < block.left_out.start {
                break;
            }
            start += block.left_out.len();
        }
        self.whole.get(start..start + length)
    }

    /// The lines that were left out, by block.
    pub(super) fn lines(&self) -> Vec<Lines<'t>> {
        let blocks = self.outline.0.iter().enumerate();
        let lines = blocks.map(|(number, block)| Lines {
            text: &self.whole[block.left_out.clone()],
            line: super::yaml::number(block.lines_before + 1),
            count: block.count,
            edit: self
                .edit
                .filter(|(at, _)| *at == number)
                .map(|(_, edit)| edit),
            read: &self.whole[block.start..block.left_out.start],
            form: block.form,
        });
        lines.collect()
    }
}

impl Lines<'_> {
    /// Whether these two are the lines right before it, as items of one list.
    pub(super) fn are_behind(&self, first: &YamlNode<'_>, second: &YamlNode<'_>) -> bool {
        let from = self.line - super::yaml::number(READ);
        let mut read = self
            .read
            .split_terminator('\n')
            .zip(from..)
            .map(|(line, number)| self.form.node(line, number));
        [first, second]
            .into_iter()
            .all(|node| read.next().as_ref() == Some(node))
    }
}

/// Finds the long blocks.
fn blocks(text: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut at, mut line) = (0, 0);
    while at < text.len() {
        let Some((form, first_length)) = Form::of(&text[at..]) else {
            at += line_length(&text[at..]);
            line += 1;
            continue;
        };
        let (mut end, mut count) = (at + first_length, 1_usize);
        while let Some((other, length)) = Form::of(&text[end..]) {
            if other != form {
                break;
            }
            (end, count) = (end + length, count + 1);
        }
        if count >= FEWEST {
            blocks.extend(Block::new(text, at..end, line, count, form));
        }
        (at, line) = (end, line + count);
    }
    blocks
}

/// Length of the first line of `text`, its line feed included.
fn line_length(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |at| at + 1)
}

/// Length in bytes of the common start of two texts, and of the common end of the rest.
#[must_use]
pub fn in_common(one: &[u8], two: &[u8]) -> [usize; 2] {
    let before = common_start(one, two);
    [before, common_end(&one[before..], &two[before..])]
}

fn common_start(one: &[u8], two: &[u8]) -> usize {
    common(one.chunks(STRIDE), two.chunks(STRIDE), |a, b| {
        common_bytes(a.iter(), b.iter())
    })
}

fn common_end(one: &[u8], two: &[u8]) -> usize {
    common(one.rchunks(STRIDE), two.rchunks(STRIDE), |a, b| {
        common_bytes(a.iter().rev(), b.iter().rev())
    })
}

/// Where two texts differ, in whole lines: the start in both, and the ends in each.
fn changed_lines(one: &[u8], two: &[u8]) -> (usize, [usize; 2]) {
    let same = common_start(one, two);
    let start = memchr::memrchr(b'\n', &one[..same]).map_or(0, |at| at + 1);
    let (rest_one, rest_two) = (&one[start..], &two[start..]);
    let same = common_end(rest_one, rest_two);
    // The line in which the common end begins may have another beginning.
    let tail = &one[one.len() - same..];
    let same = if same == rest_one.len() && same == rest_two.len() {
        same
    } else {
        memchr::memchr(b'\n', tail).map_or(0, |at| same - at - 1)
    };
    (start, [one.len() - same, two.len() - same])
}

/// Bytes that are compared at once.
const STRIDE: usize = 4096;

/// How many bytes are the same, stride by stride.
fn common<'b>(
    one: impl Iterator<Item = &'b [u8]>,
    two: impl Iterator<Item = &'b [u8]>,
    inside: impl Fn(&[u8], &[u8]) -> usize,
) -> usize {
    let mut same = 0;
    for (a, b) in one.zip(two) {
        if a != b {
            return same + inside(a, b);
        }
        same += a.len();
    }
    same
}

fn common_bytes<'b>(one: impl Iterator<Item = &'b u8>, two: impl Iterator<Item = &'b u8>) -> usize {
    one.zip(two).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
