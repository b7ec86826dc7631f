//! The meaning of a scalar without quotes to the YAML reader that Calico's tools and kubectl share (YAML
//! 1.1, as in Go's `yaml.v2`), and to a reader of YAML 1.2's core schema (RS-301).

/// Type and value that a reader gives a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    /// Nothing at all.
    Null,
    /// A truth value.
    Truth(bool),
    /// A number, infinities and NaN included.
    Number(f64),
    /// Text.
    Text,
}

/// Both readers' words for nothing.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];
/// YAML 1.1's words for true.
const TRUE: [&str; 11] = [
    "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON",
];
/// YAML 1.1's words for false.
const FALSE: [&str; 11] = [
    "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF",
];

/// Reads a plain scalar as Calico's tools do. Dates and numbers with colons are text to them.
pub(super) fn calico(text: &str) -> Plain {
    if let Some(special) = special(text) {
        return special;
    }
    if TRUE.contains(&text) {
        return Plain::Truth(true);
    }
    if FALSE.contains(&text) {
        return Plain::Truth(false);
    }
    let number = match text.as_bytes() {
        [b'.', ..] if is_float(text) => finite(text),
        [b'0'..=b'9' | b'+' | b'-', ..] => {
            let digits = text.replace('_', "");
            go_integer(&digits).or_else(|| is_float(&digits).then(|| finite(&digits)).flatten())
        }
        _ => None,
    };
    number.map_or(Plain::Text, Plain::Number)
}

/// Reads a plain scalar as the core schema of YAML 1.2 has it.
pub(super) fn core(text: &str) -> Plain {
    if let Some(special) = special(text) {
        return special;
    }
    match text {
        "true" | "True" | "TRUE" => return Plain::Truth(true),
        "false" | "False" | "FALSE" => return Plain::Truth(false),
        _ => {}
    }
    let number = match text.as_bytes() {
        [b'0', b'x', ..] => radix(&text[2..], 16),
        [b'0', b'o', ..] => radix(&text[2..], 8),
        _ if is_float(text) => text.parse().ok(),
        _ => None,
    };
    number.map_or(Plain::Text, Plain::Number)
}

/// Special words of both readers: null, infinities, NaN.
fn special(text: &str) -> Option<Plain> {
    if NULLS.contains(&text) {
        return Some(Plain::Null);
    }
    let unsigned = text.strip_prefix(['+', '-']);
    match unsigned.unwrap_or(text) {
        ".inf" | ".Inf" | ".INF" if text.starts_with('-') => Some(Plain::Number(f64::NEG_INFINITY)),
        ".inf" | ".Inf" | ".INF" => Some(Plain::Number(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if unsigned.is_none() => Some(Plain::Number(f64::NAN)),
        _ => None,
    }
}

/// An integer as Go writes it, with its base in front: `0x`, `0o`, `0b`, or `0` alone for octal.
fn go_integer(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes() {
        [b'-', ..] => (-1.0, &text[1..]),
        [b'+', ..] => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let magnitude = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => radix(&digits[2..], 16)?,
        [b'0', b'o' | b'O', ..] => radix(&digits[2..], 8)?,
        [b'0', b'b' | b'B', ..] => radix(&digits[2..], 2)?,
        [b'0', _, ..] => radix(&digits[1..], 8)?,
        _ => radix(digits, 10)?,
    };
    Some(sign * magnitude)
}

/// A number of at most 64 bits in digits of this base alone.
#[expect(
    clippy::cast_precision_loss,
    reason = "no field holds a number that a double does not"
)]
fn radix(digits: &str, radix: u32) -> Option<f64> {
    let is_whole = digits.chars().all(|digit| digit.is_digit(radix));
    let number = u64::from_str_radix(digits, radix).ok();
    number.filter(|_| is_whole).map(|number| number as f64)
}

/// Whether this is a decimal number, with or without fraction and exponent.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits))
}

/// A number of Go's reader: any that a double can hold.
fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, value in Calico's tools, value in YAML 1.2: rows observed with calicoctl 3.32.1, or derived
    /// from the grammars.
    #[test]
    fn readers_of_both_versions_are_known() {
        use Plain::{Null, Number, Text, Truth};
        for (text, old, new) in [
            ("", Null, Null),
            ("~", Null, Null),
            ("nULL", Text, Text),
            ("y", Truth(true), Text),
            ("N", Truth(false), Text),
            ("On", Truth(true), Text),
            ("oN", Text, Text),
            ("true", Truth(true), Truth(true)),
            ("FALSE", Truth(false), Truth(false)),
            ("5", Number(5.0), Number(5.0)),
            ("+5", Number(5.0), Number(5.0)),
            ("-0", Number(0.0), Number(0.0)),
            ("017", Number(15.0), Number(17.0)),
            ("-017", Number(-15.0), Number(-17.0)),
            ("08", Number(8.0), Number(8.0)),
            ("00", Number(0.0), Number(0.0)),
            ("0_10", Number(8.0), Text),
            ("0x10", Number(16.0), Number(16.0)),
            ("-0x10", Number(-16.0), Text),
            ("0X10", Number(16.0), Text),
            ("0o17", Number(15.0), Number(15.0)),
            ("0O17", Number(15.0), Text),
            ("0b11", Number(3.0), Text),
            ("-0b11", Number(-3.0), Text),
            ("0b12", Text, Text),
            ("0x", Text, Text),
            ("0x1p3", Text, Text),
            ("1_000", Number(1000.0), Text),
            ("1__0", Number(10.0), Text),
            ("_1", Text, Text),
            ("1.5_0", Number(1.5), Text),
            (".5_0", Text, Text),
            ("80.0", Number(80.0), Number(80.0)),
            ("80.", Number(80.0), Number(80.0)),
            (".5", Number(0.5), Number(0.5)),
            ("+.5", Number(0.5), Number(0.5)),
            (".", Text, Text),
            ("1e+06", Number(1e6), Number(1e6)),
            ("12e03", Number(12_000.0), Number(12_000.0)),
            ("1e", Text, Text),
            ("1e400", Text, Number(f64::INFINITY)),
            (
                "-.inf",
                Number(f64::NEG_INFINITY),
                Number(f64::NEG_INFINITY),
            ),
            ("+.nan", Text, Text),
            ("inf", Text, Text),
            ("80:443", Text, Text),
            ("190:20:30", Text, Text),
            ("2001-01-01", Text, Text),
            ("1,000", Text, Text),
            ("٣", Text, Text),
            ("<<", Text, Text),
            ("=", Text, Text),
        ] {
            assert_eq!(calico(text), old, "{text} as Calico reads it");
            assert_eq!(core(text), new, "{text} as YAML 1.2 reads it");
        }
        assert!(matches!(calico(".NaN"), Number(nan) if nan.is_nan()));
    }
}
