//! Failsafe ports, patterns, rates: the values of FelixConfiguration.

use std::sync::LazyLock;

use hep_common::protocol::{SCTP, TCP, UDP};
use regex::Regex;

use super::super::{Code, cursor::Value, scalars::set_net};
use crate::model::{FailsafePort, LogRate, Protocol};

/// A regular expression.
pub(super) fn regex(value: &Value<'_>) -> Option<Regex> {
    let text = value.text()?;
    match Regex::new(text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            value.error(
                Code::Syntax,
                format!("is not a regular expression: {reason}"),
                "fix the expression",
            )
        }
    }
}

/// A text that follows `pattern`.
pub(super) fn matching<'n>(
    value: &Value<'n>,
    pattern: &LazyLock<Regex>,
    advice: &str,
) -> Option<&'n str> {
    match value.text()? {
        text if pattern.is_match(text) => Some(text),
        _ => value.error(Code::Syntax, "is not valid here", advice),
    }
}

/// Address or host name that a server listens on (RS-201).
pub(super) fn host<'n>(value: &Value<'n>) -> Option<&'n str> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| constant("^[A-Za-z0-9:._+-]{1,64}$"));
    matching(value, &PATTERN, "write an address or a host name")
}

/// A pattern of the program's own.
pub(super) fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern in the source is valid")
}

/// `interfaceExclude` (RS-152): the items' regular expressions, or what is wrong with one.
pub(super) fn excluded(text: &str) -> Result<Vec<Regex>, String> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| constant("^[A-Za-z0-9_-]{1,15}$"));
    let item = |item: &str| {
        if NAME.is_match(item) {
            return Ok(constant(&format!("^{item}$")));
        }
        item.strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'))
            .filter(|pattern| !pattern.is_empty() && !pattern.contains(char::is_whitespace))
            .and_then(|pattern| Regex::new(pattern).ok())
            .ok_or_else(|| item.to_owned())
    };
    text.split(',').map(item).collect()
}

/// A list of failsafe ports (RS-145 to RS-149); `none` is the meaning of an empty one.
pub(super) fn failsafes(value: &Value<'_>, none: &str) -> Option<Vec<FailsafePort>> {
    let items: Vec<Value<'_>> = value.items()?.collect();
    if items.is_empty() {
        value.warn(
            Code::Failsafe,
            none,
            "leave the field out for the default list, or list the ports you need",
        );
    }
    let decoded: Vec<Option<FailsafePort>> = items.iter().map(failsafe).collect();
    let mut ports: Vec<FailsafePort> = decoded.into_iter().collect::<Option<_>>()?;
    // No packet that gets anywhere has this port (RS-148).
    ports.retain(|entry| entry.port != 0);
    Some(ports)
}

fn failsafe(value: &Value<'_>) -> Option<FailsafePort> {
    const PROTOCOLS: [(&str, u8); 3] = [("TCP", TCP), ("UDP", UDP), ("SCTP", SCTP)];
    let object = value.object()?;
    let protocol = object.read_or("protocol", TCP, |value| value.choice_any_case(&PROTOCOLS));
    let port = object
        .required("port", "write a port from 1 to 65535")
        .and_then(|value| {
            let port = u16::try_from(value.integer(0..=i64::from(u16::MAX))?).ok()?;
            if port == 0 {
                value.warn(
                    Code::Failsafe,
                    "port 0 opens nothing",
                    "write a port from 1 to 65535",
                );
            }
            Some(port)
        });
    let net = object.read("net", |value| match value.text()? {
        "" => Some(None),
        _ => set_net(value).map(Some),
    });
    object.finish();
    Some(FailsafePort {
        protocol: Protocol {
            number: protocol?,
            by_name: true,
        },
        port: port?,
        net: net?.flatten(),
    })
}

/// `logActionRateLimit` (RS-197).
pub(super) fn rate(value: &Value<'_>) -> Option<LogRate> {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| constant(r"^[1-9]\d{0,3}/(second|minute|hour|day)$"));
    let text = matching(
        value,
        &PATTERN,
        "write a rate such as 10/second or 100/minute",
    )?;
    let (count, unit) = text.split_once('/')?;
    Some(LogRate {
        records: count.parse().ok()?,
        period_s: match unit {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            _ => 86_400,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RS-152.
    #[test]
    fn excluded_names_are_anchored_and_expressions_are_not() {
        let patterns = excluded("veth1,/^kube/").expect("valid");
        let excludes = |name: &str| patterns.iter().any(|pattern| pattern.is_match(name));
        assert!(excludes("veth1") && excludes("kube-ipvs0"));
        assert!(!excludes("veth10") && !excludes("eth0"));
        for text in ["eth0.1", "/(/", "/a b/", "a,,b", "//"] {
            assert!(excluded(text).is_err(), "{text}");
        }
    }
}
