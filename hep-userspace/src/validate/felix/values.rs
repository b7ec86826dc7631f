//! Durations, failsafe ports, patterns: the values of FelixConfiguration.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
    time::Duration,
};

use hep_common::protocol::{SCTP, TCP, UDP};
use ipnetwork::IpNetwork;
use regex::Regex;

use super::super::{
    cursor::Value,
    scalars::{is_interface_name, port_match, set_net},
};
use crate::model::{FailsafePort, IpFamily, LogRate, PortMatch, Protocol, TimeoutSetting};

/// Shape of the value of a field that is not used.
pub(super) enum Shape {
    Bool,
    /// An integer within bounds.
    Int(i64, i64),
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, in any case (RS-307).
    AnyCase(&'static [&'static str]),
    Duration,
    Regex,
    Host,
    Interface,
    Nets,
    Ipv4Nets,
    /// An address of this family.
    Address(IpFamily),
    /// A port number or range of them.
    Port,
    /// At most seven of them.
    Ports,
    /// The name of an OpenStack region.
    Region,
    /// An interface's name, or its start before a `+`.
    InterfacePattern,
    InterfacePatterns,
    /// A text or a number.
    Scalar,
    HealthTimeouts,
    RouteTable,
    RouteTables,
}

impl Shape {
    /// Whether Calico has text here, which may be empty.
    pub(super) const fn is_text(&self) -> bool {
        match self {
            Self::Text
            | Self::Word(_)
            | Self::AnyCase(_)
            | Self::Regex
            | Self::Host
            | Self::Interface
            | Self::Address(_)
            | Self::Region
            | Self::InterfacePattern
            | Self::Scalar => true,
            Self::Bool
            | Self::Int(..)
            | Self::Duration
            | Self::Nets
            | Self::Ipv4Nets
            | Self::Port
            | Self::Ports
            | Self::InterfacePatterns
            | Self::HealthTimeouts
            | Self::RouteTable
            | Self::RouteTables => false,
        }
    }
}

/// Checks a field that is not used.
pub(super) fn check(value: &Value<'_>, shape: &Shape) -> Option<()> {
    match shape {
        Shape::Bool => value.boolean().map(drop),
        Shape::Int(low, high) => value.integer(*low..=*high).map(drop),
        Shape::Text => value.text().map(drop),
        Shape::Word(words) => {
            let choices: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
            value.choice(&choices)
        }
        Shape::AnyCase(words) => {
            let choices: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
            value.choice_any_case(&choices)
        }
        Shape::Duration => duration(value).map(drop),
        Shape::Regex => regex(value).map(drop),
        Shape::Host => host(value).map(drop),
        Shape::Interface => match value.text()? {
            name if is_interface_name(name) => Some(()),
            _ => value.error(
                "E-NAME",
                "is not an interface name",
                "use 1 to 15 letters, digits, '_', '.' and '-'",
            ),
        },
        Shape::Nets => each(value, |item| set_net(item).map(drop)),
        Shape::Ipv4Nets => each(value, ipv4_net),
        Shape::Address(family) => address(value, *family),
        Shape::Port => numeric_port(value),
        Shape::Ports => {
            if value.items()?.count() > MOST_PORT_RANGES {
                let message = format!("has more than {MOST_PORT_RANGES} entries");
                return value.error("E-RANGE", message, "merge or remove some");
            }
            each(value, numeric_port)
        }
        Shape::Region => region(value),
        Shape::InterfacePattern => interface_pattern(value),
        Shape::InterfacePatterns => each(value, interface_pattern),
        Shape::Scalar => match value.scalar() {
            Some(_) => Some(()),
            None => value.text().map(drop),
        },
        Shape::HealthTimeouts => each(value, health_timeout),
        Shape::RouteTable => {
            let (_, last) = route_table(value)?;
            if last > LAST_ROUTE_TABLE {
                let message = format!("ends after table {LAST_ROUTE_TABLE}");
                return value.error("E-RANGE", message, "lower max, or write routeTableRanges");
            }
            Some(())
        }
        Shape::RouteTables => route_tables(value),
    }
}

/// Most entries of a list of ports.
const MOST_PORT_RANGES: usize = 7;
/// Last routing table of `routeTableRange`.
const LAST_ROUTE_TABLE: i64 = 250;
/// Most routing tables of `routeTableRanges` together.
const MOST_ROUTE_TABLES: i64 = 0xffff;

fn ipv4_net(value: &Value<'_>) -> Option<()> {
    match set_net(value)? {
        IpNetwork::V4(_) => Some(()),
        IpNetwork::V6(_) => value.error("E-FAMILY", "is IPv6", "write an IPv4 address or network"),
    }
}

fn address(value: &Value<'_>, family: IpFamily) -> Option<()> {
    let text = value.text()?;
    let is_address = match family {
        IpFamily::V4 => text.parse::<Ipv4Addr>().is_ok(),
        IpFamily::V6 => text.parse::<Ipv6Addr>().is_ok(),
    };
    if is_address {
        return Some(());
    }
    let (message, advice) = match family {
        IpFamily::V4 => ("is not an IPv4 address", "write one such as 192.0.2.1"),
        IpFamily::V6 => ("is not an IPv6 address", "write one such as 2001:db8::1"),
    };
    value.error("E-CIDR", message, advice)
}

fn numeric_port(value: &Value<'_>) -> Option<()> {
    match port_match(value)? {
        PortMatch::Range(_) => Some(()),
        PortMatch::Named(_) => value.error(
            "E-RANGE",
            "is a name",
            "write a port, or a range such as \"30000:32767\"",
        ),
    }
}

fn region(value: &Value<'_>) -> Option<()> {
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| constant("^[a-z0-9]([-a-z0-9]{0,44}[a-z0-9])?$"));
    let advice = "use at most 46 lower-case letters, digits and '-'";
    matching(value, &PATTERN, advice).map(drop)
}

fn interface_pattern(value: &Value<'_>) -> Option<()> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| constant("^[A-Za-z0-9:._+-]{1,15}$"));
    matching(value, &PATTERN, "write an interface, or its start and a +").map(drop)
}

fn route_tables(value: &Value<'_>) -> Option<()> {
    let ranges: Vec<Option<(i64, i64)>> = value.items()?.map(|range| route_table(&range)).collect();
    let ranges = ranges.into_iter().collect::<Option<Vec<_>>>()?;
    let count: i64 = ranges.iter().map(|(first, last)| last - first + 1).sum();
    if count > MOST_ROUTE_TABLES {
        let message = format!("names more than {MOST_ROUTE_TABLES} tables");
        return value.error("E-RANGE", message, "name fewer");
    }
    Some(())
}

fn each(value: &Value<'_>, check: fn(&Value<'_>) -> Option<()>) -> Option<()> {
    for item in value.items()? {
        check(&item);
    }
    Some(())
}

fn health_timeout(value: &Value<'_>) -> Option<()> {
    let object = value.object()?;
    if let Some(name) = object.required("name", "write the component's name")
        && let Some(text) = name.text()
        && (text.is_empty()
            || !text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)))
    {
        name.error::<()>(
            "E-NAME",
            "is not a component's name",
            "use letters, digits, '_', '.' and '-'",
        );
    }
    if let Some(timeout) = object.required("timeout", "write a duration such as 30s") {
        duration(&timeout);
    }
    object.finish();
    Some(())
}

/// The first and last routing table of a range.
fn route_table(value: &Value<'_>) -> Option<(i64, i64)> {
    let object = value.object()?;
    let [first, last] = ["min", "max"].map(|key| {
        let number = object.required(key, "write the number of a routing table")?;
        number.integer(1..=i64::from(u32::MAX))
    });
    object.finish();
    let (first, last) = (first?, last?);
    if first > last {
        return value.error("E-RANGE", "ends before it begins", "swap min and max");
    }
    Some((first, last))
}

/// Advice for a wrong duration.
const ADVICE: &str = "write a duration such as 90s, 1m30s or 500ms";

/// A duration as Go writes it.
pub(super) fn duration(value: &Value<'_>) -> Option<Duration> {
    let text = value.text()?;
    if let Some(negative) = text.strip_prefix('-')
        && parse_duration(negative).is_some()
    {
        return value.error("E-RANGE", "is negative", ADVICE);
    }
    match parse_duration(text.strip_prefix('+').unwrap_or(text)) {
        Some(duration) => Some(duration),
        None => value.error("E-SYNTAX", "is not a duration", ADVICE),
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
        None => value.error("E-SYNTAX", "is not a duration of a timer", ADVICE),
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
            "W-IGNORED",
            "the kernel has no setting for this timer, so its default is used",
            "write a duration such as 60s",
        );
        return Some(default);
    }
    let duration = timer(value)?;
    if duration.is_zero() {
        value.warn(
            "W-TIMER",
            "a timer of 0 deletes every flow at once",
            "write a duration such as 60s, or Auto",
        );
    }
    Some(TimeoutSetting::Fixed(duration))
}

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
                "E-SYNTAX",
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
        _ => value.error("E-SYNTAX", "is not valid here", advice),
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
            "W-FAILSAFE",
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
                    "W-FAILSAFE",
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
