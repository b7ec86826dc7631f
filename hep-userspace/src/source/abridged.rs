//! Long lists of plain items, one per line: found in the text, so that the parser need not read each.
//!
//! In a block of lines that differ only in their item (`  - 192.0.2.0/24`), the parser gets only the first
//! two. If it parses these as neighbours in a list, it would have parsed all later ones as items of that
//! list too: the second left it in the state in which it found it, and so would each further one. If it
//! does not (the block may be in a quoted text, or what follows the block may continue its last item), it
//! gets the whole text.

use std::{borrow::Cow, ops::Range};

use super::{
    common::{common_end, common_start},
    lines::{Edit, Form, Lines},
    syntax::number,
};

/// Fewest lines of a block that are worth leaving out.
const FEWEST: usize = 512;

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

    /// Whether an offset in the parser's text leads to one of the whole text.
    pub(super) const fn is_exact(&self) -> bool {
        matches!(self.text, Cow::Borrowed(_)) || !self.is_whole()
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

    /// The offset in the whole text of one in the abridged one.
    pub(super) fn offset(&self, offset: usize) -> usize {
        let mut offset = offset;
        for block in &self.outline.0 {
            if offset < block.left_out.start {
                break;
            }
            offset += block.left_out.len();
        }
        offset
    }

    /// A part of the whole text.
    pub(super) fn slice(&self, start: usize, length: usize) -> Option<&'t str> {
        self.whole.get(start..start + length)
    }

    /// The rest of the whole text.
    pub(super) fn rest(&self, start: usize) -> &'t str {
        self.whole.get(start..).unwrap_or_default()
    }

    /// The lines that were left out, by block.
    pub(super) fn lines(&self) -> Vec<Lines<'t>> {
        let blocks = self.outline.0.iter().enumerate();
        let lines = blocks.map(|(at, block)| Lines {
            text: &self.whole[block.left_out.clone()],
            line: number(block.lines_before + 1),
            count: block.count,
            start: block.left_out.start,
            edit: self
                .edit
                .filter(|(edited, _)| *edited == at)
                .map(|(_, edit)| edit),
            read: &self.whole[block.start..block.left_out.start],
            form: block.form,
        });
        lines.collect()
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

#[cfg(test)]
#[path = "abridged_tests.rs"]
mod tests;
