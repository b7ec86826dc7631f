//! The parser's input: a text in which a tab separates tokens as well as a blank does (RS-306).

use saphyr_parser::{Input, StrInput, input::SkipTabs};

/// A text, character by character.
pub(super) struct Text<'t>(StrInput<'t>);

impl<'t> Text<'t> {
    /// From its start.
    pub(super) fn new(text: &'t str) -> Self {
        Self(StrInput::new(text))
    }
}

/// Hands methods on to the text.
macro_rules! hand_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(#[inline]
        fn $name(&self $(, $argument: $type)*) -> $result {
            self.0.$name($($argument),*)
        })*
    };
}

/// Hands methods on to the text that move on in it.
macro_rules! hand_on_mut {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(#[inline]
        fn $name(&mut self $(, $argument: $type)*) $(-> $result)? {
            self.0.$name($($argument),*)
        })*
    };
}

impl Input for Text<'_> {
    hand_on! {
        buflen() -> usize;
        bufmaxlen() -> usize;
        buf_is_empty() -> bool;
        peek() -> char;
        peek_nth(n: usize) -> char;
        peek_opt() -> Option<char>;
        next_char_is(c: char) -> bool;
        nth_char_is(n: usize, c: char) -> bool;
        next_2_are(c1: char, c2: char) -> bool;
        next_3_are(c1: char, c2: char, c3: char) -> bool;
        next_is_document_indicator() -> bool;
        next_is_document_start() -> bool;
        next_is_document_end() -> bool;
        next_can_be_plain_scalar(in_flow: bool) -> bool;
        next_is_blank_or_break() -> bool;
        next_is_blank_or_breakz() -> bool;
        next_is_blank() -> bool;
        next_is_break() -> bool;
        next_is_breakz() -> bool;
        next_is_z() -> bool;
        next_is_flow() -> bool;
        next_is_digit() -> bool;
        next_is_alpha() -> bool;
    }

    hand_on_mut! {
        lookahead(count: usize);
        raw_read_ch() -> char;
        raw_read_non_breakz_ch() -> Option<char>;
        skip();
        skip_n(count: usize);
        look_ch() -> char;
        skip_while_non_breakz() -> usize;
        skip_while_blank() -> usize;
        fetch_while_is_alpha(out: &mut String) -> usize;
        fetch_while_is_yaml_non_space(out: &mut String) -> usize;
    }

    /// The parser uses the kind of skipped characters only to refuse a value that a tab alone separates
    /// from its key.
    fn skip_ws_to_eol(&mut self, skip_tabs: SkipTabs) -> (usize, Result<SkipTabs, &'static str>) {
        let (skipped, result) = self.0.skip_ws_to_eol(skip_tabs);
        let result = result.map(|found| {
            let tabs = found.found_tabs();
            SkipTabs::Result(tabs, tabs || found.has_valid_yaml_ws())
        });
        (skipped, result)
    }
}
