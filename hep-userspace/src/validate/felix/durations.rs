//! Durations and timers of FelixConfiguration.

use std::{sync::LazyLock, time::Duration};

use regex::Regex;

use super::{
    super::{Code, cursor::Value},
    values::constant,
};
use crate::model::TimeoutSetting;

/// Advice for a wrong duration.
const ADVICE: &str = "write a duration such as 90s, 1m30s or 500ms";

/// A duration as Go writes it.
pub(super) fn duration(value: &Value<'_>) -> Option<Duration> {
    let text = value.text()?;
    if let Some(negative) = text.strip_prefix('-')
        && parse_duration(negative).is_some()
    {
        return value.error(Code::Range, "is negative", ADVICE);
    }
    match parse_duration(text.strip_prefix('+').unwrap_or(text)) {
        Some(duration) => Some(duration),
        None => value.error(Code::Syntax, "is not a duration", ADVICE),
    }
}

/// A duration as Calico's schema has it for connection timers: with units from `us` to `h`, and
/// without a sign (RS-193, RS-307).
pub(super) fn timer(value: &Value<'_>) -> Option<Duration> {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| constant(r"^([0-9]*(\.[0-9]*)?(ms|s|h|m|us))+$"));
    let text = value.text()?;
    match parse_duration(text).filter(|_| PATTERN.is_match(text)) {
        Some(duration) => Some(duration),
        None => value.error(Code::Syntax, "is not a duration of a timer", ADVICE),
    }
}

/// `1h30m`, `1.5s`, `0`.
fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    if text.is_empty() {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A connection timer: a duration, or `Auto` where the kernel has one (RS-193).
pub(super) fn timeout(
    value: &Value<'_>,
    has_kernel: bool,
    default: TimeoutSetting,
) -> Option<TimeoutSetting> {
    if value.scalar().is_some_and(|scalar| scalar.text == "Auto") {
        if has_kernel {
            return Some(TimeoutSetting::Kernel);
        }
        value.warn(
            Code::Ignored,
            "the kernel has no setting for this timer, so its default is used",
            "write a duration such as 60s",
        );
        return Some(default);
    }
    let duration = timer(value)?;
    if duration.is_zero() {
        value.warn(
            Code::Timer,
            "a timer of 0 deletes every flow at once",
            "write a duration such as 60s, or Auto",
        );
    }
    Some(TimeoutSetting::Fixed(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RS-193.
    #[test]
    fn durations_are_those_of_go() {
        for (text, milliseconds) in [
            ("90s", 90_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1.5s", 1500),
            (".5s", 500),
            ("500ms", 500),
            ("2000us", 2),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "90", "s", "1d", "1 s", "..s", "1s2", "-1s", "1e3s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
