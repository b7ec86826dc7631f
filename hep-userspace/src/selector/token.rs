//! Tokens (SL-001 to SL-014).

use std::fmt;

use super::{error::SelectorError, expression::Comparison};

/// Most bytes in a label key (SL-004).
const MAX_KEY_BYTES: usize = 512;

/// The expected tokens after a label key, for error messages.
pub(super) const OPERATOR: &str =
    "an operator after the label key: ==, !=, in, not in, contains, starts with or ends with";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'t> {
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Comma,
    And,
    Or,
    Not,
    Has(&'t str),
    All,
    Global,
    Key(&'t str),
    Literal(&'t str),
    Compare(Comparison),
    In,
    NotIn,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind<'t>,
    /// Byte number in the text, from 1.
    pub(super) column: usize,
}

impl fmt::Display for TokenKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenParenthesis => "'('",
            Self::CloseParenthesis => "')'",
            Self::OpenBrace => "'{'",
            Self::CloseBrace => "'}'",
            Self::Comma => "','",
            Self::And => "'&&'",
            Self::Or => "'||'",
            Self::Not => "'!'",
            Self::Has(key) => return write!(f, "has({key})"),
            Self::All => "all()",
            Self::Global => "global()",
            Self::Key(key) => return write!(f, "label key {key}"),
            Self::Literal(text) => return write!(f, "string \"{}\"", text.escape_debug()),
            Self::Compare(Comparison::Equal) => "'=='",
            Self::Compare(Comparison::NotEqual) => "'!='",
            Self::Compare(Comparison::Contains) => "'contains'",
            Self::Compare(Comparison::StartsWith) => "'starts with'",
            Self::Compare(Comparison::EndsWith) => "'ends with'",
            Self::In => "'in'",
            Self::NotIn => "'not in'",
            Self::End => "the end of the selector",
        })
    }
}

/// Reads tokens off a text one by one; at its end, [`TokenKind::End`] for ever.
pub(super) struct Tokens<'t> {
    text: &'t str,
    at: usize,
    after_key: bool,
}

impl<'t> Tokens<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            after_key: false,
        }
    }

    pub(super) fn next(&mut self) -> Result<Token<'t>, SelectorError> {
        self.skip_blanks();
        let column = self.at + 1;
        let kind = self.kind(column)?;
        self.after_key = matches!(kind, TokenKind::Key(_));
        Ok(Token { kind, column })
    }

    fn kind(&mut self, column: usize) -> Result<TokenKind<'t>, SelectorError> {
        if self.rest().is_empty() {
            return if self.after_key {
                Err(self.unexpected(OPERATOR))
            } else {
                Ok(TokenKind::End)
            };
        }
        if let Some(kind) = self.punctuation() {
            return Ok(kind);
        }
        if self.after_key {
            return self
                .word_operator()
                .ok_or_else(|| self.unexpected(OPERATOR));
        }
        if let Some(quote @ ('"' | '\'')) = self.rest().chars().next() {
            return self.literal(quote, column);
        }
        if let Some(kind) = self.function()? {
            return Ok(kind);
        }
        if self.key_length() > 0 {
            return self.key().map(TokenKind::Key);
        }
        Err(self.unexpected(match self.rest().as_bytes() {
            [b'=', ..] => "'=='",
            [b'&', ..] => "'&&'",
            [b'|', ..] => "'||'",
            [b'[', ..] => "'{' around a set",
            _ => "a label key, a string or an operator",
        }))
    }

    fn punctuation(&mut self) -> Option<TokenKind<'t>> {
        const SPELLINGS: [(&str, TokenKind<'static>); 10] = [
            ("(", TokenKind::OpenParenthesis),
            (")", TokenKind::CloseParenthesis),
            ("{", TokenKind::OpenBrace),
            ("}", TokenKind::CloseBrace),
            (",", TokenKind::Comma),
            ("==", TokenKind::Compare(Comparison::Equal)),
            ("!=", TokenKind::Compare(Comparison::NotEqual)),
            ("&&", TokenKind::And),
            ("||", TokenKind::Or),
            ("!", TokenKind::Not),
        ];
        SPELLINGS
            .into_iter()
            .find_map(|(spelling, kind)| self.take(spelling).then_some(kind))
    }

    /// `contains`, `in` and so on: only after a key, and not run together with more of a key.
    fn word_operator(&mut self) -> Option<TokenKind<'t>> {
        const SPELLINGS: [(&str, &str, TokenKind<'static>); 5] = [
            ("contains", "", TokenKind::Compare(Comparison::Contains)),
            ("starts", "with", TokenKind::Compare(Comparison::StartsWith)),
            ("ends", "with", TokenKind::Compare(Comparison::EndsWith)),
            ("not", "in", TokenKind::NotIn),
            ("in", "", TokenKind::In),
        ];
        let start = self.at;
        for (first, second, kind) in SPELLINGS {
            if self.take(first) {
                if !second.is_empty() {
                    self.skip_blanks();
                }
                if self.take(second) && self.key_length() == 0 {
                    return Some(kind);
                }
            }
            self.at = start;
        }
        None
    }

    /// `has(key)`, `all()` and `global()`, whose parenthesis touches the word.
    fn function(&mut self) -> Result<Option<TokenKind<'t>>, SelectorError> {
        let kind = if self.take("has(") {
            self.skip_blanks();
            if self.key_length() == 0 {
                return Err(self.unexpected("a label key inside has()"));
            }
            TokenKind::Has(self.key()?)
        } else if self.take("all(") {
            TokenKind::All
        } else if self.take("global(") {
            TokenKind::Global
        } else {
            return Ok(None);
        };
        self.skip_blanks();
        if !self.take(")") {
            return Err(self.unexpected("')'"));
        }
        Ok(Some(kind))
    }

    fn literal(&mut self, quote: char, column: usize) -> Result<TokenKind<'t>, SelectorError> {
        let inside = &self.rest()[1..];
        let length = inside
            .find(quote)
            .ok_or(SelectorError::OpenString { column, quote })?;
        self.at += length + 2;
        Ok(TokenKind::Literal(&inside[..length]))
    }

    fn key(&mut self) -> Result<&'t str, SelectorError> {
        let bytes = self.key_length();
        if bytes > MAX_KEY_BYTES {
            return Err(SelectorError::LongKey {
                column: self.at + 1,
                bytes,
            });
        }
        let key = &self.rest()[..bytes];
        self.at += bytes;
        Ok(key)
    }

    /// Number of bytes from here that are allowed in a label key.
    fn key_length(&self) -> usize {
        let rest = self.rest();
        rest.bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || b"_./-".contains(&byte)))
            .unwrap_or(rest.len())
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take(&mut self, spelling: &str) -> bool {
        let there = self.rest().starts_with(spelling);
        if there {
            self.at += spelling.len();
        }
        there
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn unexpected(&self, expected: &'static str) -> SelectorError {
        let found = match self.rest().chars().next() {
            None => TokenKind::End.to_string(),
            Some(_) if self.key_length() > 0 => format!("'{}'", &self.rest()[..self.key_length()]),
            Some(character) if character.is_ascii_graphic() => format!("'{character}'"),
            Some('\n') => "a line break (write the selector on one line)".to_owned(),
            Some(character) => {
                let byte = self.rest().as_bytes()[0];
                format!("'{}' (byte 0x{byte:02x})", character.escape_debug())
            }
        };
        SelectorError::Unexpected {
            column: self.at + 1,
            expected,
            found,
        }
    }
}
