//! The value of a scalar, where YAML's versions agree about it and where they do not (RS-301).

use super::{
    Scalar,
    plain::{self, Plain},
};

/// A number, as a scalar has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Every reader has this number, or none that has another.
    Known(f64),
    /// One with a leading zero, which is octal to Calico.
    Octal {
        /// Value in Calico's reader.
        calico: f64,
        /// Value to a reader of YAML 1.2, or to a person.
        decimal: f64,
    },
}

impl Scalar<'_> {
    /// Nothing at all, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.calico() == Plain::Null
    }

    /// The truth value that it is, with YAML 1.1's words (`yes`, `on`, `y`).
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.calico() {
            Plain::Truth(value) => Some(value),
            Plain::Null | Plain::Number(_) | Plain::Text => None,
        }
    }

    /// The number that it is, in any form that Calico's reader takes, `.inf` and `.nan` included.
    #[must_use]
    pub fn as_number(&self) -> Option<Number> {
        let Plain::Number(calico) = self.calico() else {
            return None;
        };
        let digits = self.text.replace('_', "");
        match plain::core(&digits) {
            Plain::Number(decimal)
                if decimal.to_bits() != calico.to_bits() && calico.is_finite() =>
            {
                Some(Number::Octal { calico, decimal })
            }
            Plain::Null | Plain::Truth(_) | Plain::Number(_) | Plain::Text => {
                Some(Number::Known(calico))
            }
        }
    }

    /// Whether it is text to every reader: in quotes, or nothing else to YAML 1.1 and to 1.2.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.calico() == Plain::Text && (!self.plain || plain::core(&self.text) == Plain::Text)
    }

    /// Whether a reader of YAML 1.2 reads it as text, whatever it is to Calico's.
    #[must_use]
    pub fn is_core_text(&self) -> bool {
        !self.plain || plain::core(&self.text) == Plain::Text
    }

    /// The truth value or number that Calico's reader takes it for: `true`, `1000`.
    #[must_use]
    pub fn calico_text(&self) -> Option<String> {
        match self.calico() {
            Plain::Truth(value) => Some(value.to_string()),
            Plain::Number(value) => Some(value.to_string()),
            Plain::Null | Plain::Text => None,
        }
    }

    fn calico(&self) -> Plain {
        if self.plain {
            plain::calico(&self.text)
        } else {
            Plain::Text
        }
    }
}

/// The integer that a number is.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "whole and within what a double counts by ones"
)]
pub fn whole(number: f64) -> Option<i64> {
    /// Up to here a double holds every integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}
