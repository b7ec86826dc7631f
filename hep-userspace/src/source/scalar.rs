//! What a plain scalar is: the core schema of YAML 1.2, with YAML 1.1's `yes` and `on` as Go's
//! parsers, and so Calico's users, still have them.

use super::Scalar;

impl Scalar<'_> {
    /// Nothing at all, `~` or `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// The truth value that it is.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if !self.plain {
            return None;
        }
        match &*self.text {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }

    /// The integer that it is. A leading zero is refused, since it is octal to some parsers and not
    /// to others.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if !self.plain {
            return None;
        }
        let (negative, digits) = match self.text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.text.strip_prefix('+').unwrap_or(&self.text)),
        };
        let (radix, digits) = match digits.as_bytes() {
            [b'0', b'x', ..] => (16, &digits[2..]),
            [b'0', b'o', ..] => (8, &digits[2..]),
            [b'0', _, ..] => return None,
            _ => (10, digits),
        };
        if !digits.starts_with(|first: char| first.is_digit(radix)) {
            return None;
        }
        let magnitude = i64::from_str_radix(digits, radix).ok()?;
        Some(if negative { -magnitude } else { magnitude })
    }

    /// The number that it is, `.inf` and `.nan` included.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        if !self.plain {
            return None;
        }
        match self.text.trim_start_matches(['+', '-']) {
            ".inf" | ".Inf" | ".INF" => Some(if self.text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }),
            ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
            digits
                if digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
                    && !digits.contains(['n', 'N', 'i', 'I']) =>
            {
                #[expect(clippy::cast_precision_loss, reason = "so does every YAML parser")]
                let integer = self.as_integer().map(|integer| integer as f64);
                integer.or_else(|| self.text.parse().ok())
            }
            _ => None,
        }
    }

    /// Whether it is text: quoted, or plain and nothing else.
    #[must_use]
    pub fn is_text(&self) -> bool {
        !self.plain || !(self.is_null() || self.as_bool().is_some() || self.as_float().is_some())
    }
}
