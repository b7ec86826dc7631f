//! Recursive descent over the grammar of section 2, with a limit on its depth.

use std::collections::BTreeSet;

use super::{
    error::SelectorError,
    expression::Expression,
    limits::MAX_DEPTH,
    token::{OPERATOR, Token, TokenKind, Tokens},
};

const OPERAND: &str = "a label key, has(), all(), '!' or '('";

/// Parses a whole text; an empty one is `all()`.
pub(super) fn parse(text: &str) -> Result<Expression, SelectorError> {
    let mut tokens = Tokens::new(text);
    let next = tokens.next()?;
    if next.kind == TokenKind::End {
        return Ok(Expression::All);
    }
    let mut parser = Parser {
        tokens,
        next,
        depth: 0,
    };
    let expression = parser.or()?;
    if parser.next.kind == TokenKind::End {
        Ok(expression)
    } else {
        Err(parser.unexpected("'&&', '||' or the end of the selector"))
    }
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    next: Token<'t>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Result<Expression, SelectorError> {
        self.chain(TokenKind::Or, Self::and, Expression::Or)
    }

    fn and(&mut self) -> Result<Expression, SelectorError> {
        self.chain(TokenKind::And, Self::unary, Expression::And)
    }

    /// One operand, or several joined by `operator`.
    fn chain(
        &mut self,
        operator: TokenKind<'static>,
        operand: fn(&mut Self) -> Result<Expression, SelectorError>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, SelectorError> {
        let first = operand(self)?;
        if self.next.kind != operator {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.next.kind == operator {
            self.advance()?;
            operands.push(operand(self)?);
        }
        Ok(join(operands))
    }

    /// A primary after any number of `!`, which cancel out in pairs (SL-016).
    fn unary(&mut self) -> Result<Expression, SelectorError> {
        let mut negated = false;
        while self.next.kind == TokenKind::Not {
            negated = !negated;
            self.advance()?;
        }
        let primary = self.primary()?;
        Ok(if negated { primary.negate() } else { primary })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other token is a mistake here"
    )]
    fn primary(&mut self) -> Result<Expression, SelectorError> {
        let expression = match self.next.kind {
            TokenKind::Has(key) => Expression::Has(key.to_owned()),
            TokenKind::All => Expression::All,
            TokenKind::Global => Expression::Global,
            TokenKind::OpenParenthesis => return self.parentheses(),
            TokenKind::Key(key) => return self.condition(key),
            _ => return Err(self.unexpected(OPERAND)),
        };
        self.advance()?;
        Ok(expression)
    }

    fn parentheses(&mut self) -> Result<Expression, SelectorError> {
        if self.depth == MAX_DEPTH {
            return Err(SelectorError::TooDeep {
                column: self.next.column,
            });
        }
        self.depth += 1;
        self.advance()?;
        let inside = self.or()?;
        if self.next.kind != TokenKind::CloseParenthesis {
            return Err(self.unexpected("'&&', '||' or ')'"));
        }
        self.depth -= 1;
        self.advance()?;
        Ok(inside)
    }

    /// Parses the operator and its operands after a label key.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other token is a mistake here"
    )]
    fn condition(&mut self, key: &str) -> Result<Expression, SelectorError> {
        self.advance()?;
        let key = key.to_owned();
        match self.next.kind {
            TokenKind::Compare(comparison) => {
                self.advance()?;
                let literal = self.literal("a string in quotes")?;
                Ok(Expression::Compare(key, comparison, literal))
            }
            TokenKind::In => Ok(Expression::In(key, self.set()?)),
            TokenKind::NotIn => Ok(Expression::NotIn(key, self.set()?)),
            _ => Err(self.unexpected(OPERATOR)),
        }
    }

    fn set(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        self.advance()?;
        if self.next.kind != TokenKind::OpenBrace {
            return Err(self.unexpected("a set such as {\"a\", \"b\"}"));
        }
        self.advance()?;
        let mut set = BTreeSet::new();
        while self.next.kind != TokenKind::CloseBrace {
            set.insert(self.literal("a string in quotes or '}'")?);
            if self.next.kind == TokenKind::Comma {
                self.advance()?;
            } else if self.next.kind != TokenKind::CloseBrace {
                return Err(self.unexpected("',' or '}'"));
            }
        }
        self.advance()?;
        Ok(set)
    }

    fn literal(&mut self, expected: &'static str) -> Result<String, SelectorError> {
        let TokenKind::Literal(text) = self.next.kind else {
            return Err(self.unexpected(expected));
        };
        self.advance()?;
        Ok(text.to_owned())
    }

    fn advance(&mut self) -> Result<(), SelectorError> {
        self.next = self.tokens.next()?;
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> SelectorError {
        SelectorError::Unexpected {
            column: self.next.column,
            expected,
            found: self.next.kind.to_string(),
        }
    }
}
