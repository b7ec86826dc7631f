//! Parts of a text, in bytes.

use std::ops::Range;

/// A part of a text, in bytes from its start. No file is so long that an offset does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The part from `start` until before `end`.
    pub(super) fn new(start: usize, end: usize) -> Self {
        let offset = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self {
            start: offset(start),
            end: offset(end.max(start)),
        }
    }

    /// The offsets; `None` if the parser was given another text than the file's, such as one without byte
    /// order marks in its middle, or if there is nothing.
    #[must_use]
    pub fn range(self) -> Option<Range<usize>> {
        let offset = |offset| usize::try_from(offset).ok();
        let range = offset(self.start)?..offset(self.end)?;
        (!range.is_empty()).then_some(range)
    }

    /// Extends it, so that it holds `inner`.
    pub(super) fn extend(&mut self, inner: Self) {
        self.end = self.end.max(inner.end);
    }

    /// Moves it by so many bytes.
    pub(super) fn shift(&mut self, bytes: usize) {
        if let Some(range) = self.range() {
            *self = Self::new(range.start + bytes, range.end + bytes);
        }
    }
}

/// Characters between those whose offsets are kept.
const STEP: usize = 64;

/// Where the characters of a text are, which the parser counts.
pub(super) struct Offsets<'t> {
    text: &'t str,
    /// Offset of every [`STEP`]th character; none if every character is a byte.
    steps: Vec<usize>,
}

impl<'t> Offsets<'t> {
    /// Those of a text.
    pub(super) fn new(text: &'t str) -> Self {
        let steps = if text.is_ascii() {
            Vec::new()
        } else {
            let offsets = text.char_indices().map(|(offset, _)| offset);
            offsets.step_by(STEP).collect()
        };
        Self { text, steps }
    }

    /// The offset of a character; the length of the text for the one behind its last.
    pub(super) fn byte(&self, character: usize) -> usize {
        if self.steps.is_empty() {
            return character.min(self.text.len());
        }
        let Some(step) = self.steps.get(character / STEP) else {
            return self.text.len();
        };
        let mut rest = self.text[*step..].char_indices();
        rest.nth(character % STEP)
            .map_or(self.text.len(), |(offset, _)| step + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_found_by_their_number() {
        for text in [
            String::new(),
            "abc".to_owned(),
            "é".repeat(300) + "x" + &"😀".repeat(70),
        ] {
            let offsets = Offsets::new(&text);
            for (number, (offset, _)) in text.char_indices().enumerate() {
                assert_eq!(offsets.byte(number), offset, "{number} of {text}");
            }
            assert_eq!(offsets.byte(text.chars().count()), text.len());
            assert_eq!(offsets.byte(10_000), text.len());
        }
    }
}
