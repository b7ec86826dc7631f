//! Shapes of the values of fields that are not used, which are checked as Calico does.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnetwork::IpNetwork;
use regex::Regex;

use super::{
    super::{
        Code,
        cursor::Value,
        scalars::{is_interface_name, port_match, set_net},
    },
    durations::duration,
    values::{constant, host, matching, regex},
};
use crate::model::{IpFamily, PortMatch};

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
                Code::Name,
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
                return value.error(Code::Range, message, "merge or remove some");
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
                return value.error(Code::Range, message, "lower max, or write routeTableRanges");
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
        IpNetwork::V6(_) => {
            value.error(Code::Family, "is IPv6", "write an IPv4 address or network")
        }
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
    value.error(Code::Cidr, message, advice)
}

fn numeric_port(value: &Value<'_>) -> Option<()> {
    match port_match(value)? {
        PortMatch::Range(_) => Some(()),
        PortMatch::Named(_) => value.error(
            Code::Range,
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
        return value.error(Code::Range, message, "name fewer");
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
            Code::Name,
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
        return value.error(Code::Range, "ends before it begins", "swap min and max");
    }
    Some((first, last))
}
