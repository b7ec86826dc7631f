//! The scalars that many kinds share: protocols, ports, addresses, selectors (RS-018 to RS-027).

use std::{net::IpAddr, sync::Arc};

use ipnetwork::IpNetwork;

use super::{Code, cursor::Value};
use crate::{
    model::{PortMatch, PortName, PortRange, Protocol},
    selector::Selector,
    source::{Scalar, whole},
};

/// Most characters of a selector in Calico's schema (RS-302).
const SCHEMA_CHARACTERS: usize = 1024;
/// Longest interface name.
const MAX_INTERFACE: usize = 15;

/// A protocol, by name or number (RS-019).
pub(super) fn protocol(value: &Value<'_>) -> Option<Protocol> {
    let Some(scalar) = value.scalar() else {
        return value.text().and(None);
    };
    let text: &str = &scalar.text;
    if let Some((_, number)) = Protocol::NAMES.iter().find(|(name, _)| *name == text) {
        return Some(Protocol {
            number: *number,
            by_name: true,
        });
    }
    match number(value, scalar)? {
        Some(number) => match u8::try_from(number) {
            Ok(number) if number > 0 => Some(Protocol {
                number,
                by_name: false,
            }),
            _ => value.error(
                Code::Range,
                "protocol number is out of range",
                "write a number from 1 to 255",
            ),
        },
        None => {
            let same = |(name, _): &&(&str, u8)| name.eq_ignore_ascii_case(text);
            let advice = match Protocol::NAMES.iter().find(same) {
                Some((name, _)) => format!("write {name}; case matters"),
                None => "write TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255"
                    .to_owned(),
            };
            value.error(Code::Enum, "is not a protocol", advice)
        }
    }
}

/// An integer, or a quoted decimal; `Some(None)` for anything else, `None` if readers disagree.
fn number(value: &Value<'_>, scalar: &Scalar<'_>) -> Option<Option<i64>> {
    Some(match scalar.as_number() {
        Some(number) => whole(value.known(number)?),
        None => decimal(&scalar.text).filter(|_| !scalar.plain),
    })
}

/// A number in decimal digits alone.
fn decimal(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

/// A port number, 1 to 65535.
pub(super) fn port_number(value: &Value<'_>) -> Option<u16> {
    let port = value.integer(1..=i64::from(u16::MAX))?;
    u16::try_from(port).ok()
}

/// An item of a list of ports (RS-021).
pub(super) fn port_match(value: &Value<'_>) -> Option<PortMatch> {
    let Some(scalar) = value.scalar() else {
        return value.text().and(None);
    };
    let text: &str = &scalar.text;
    // What YAML 1.2 has for text would be a port's name.
    if !scalar.is_text() && scalar.is_core_text() {
        return value.not_text(scalar);
    }
    if let Some(number) = number(value, scalar)? {
        let port = u16::try_from(number).ok();
        return match port.and_then(|port| PortRange::new(port, port)) {
            Some(range) => Some(PortMatch::Range(range)),
            None => value.error(
                Code::Range,
                "port is out of range",
                "write a port from 1 to 65535",
            ),
        };
    }
    if !scalar.is_text() {
        return value.error(
            Code::Syntax,
            "is not a port",
            "write a port from 1 to 65535, a range such as \"80:443\", or a name; a name that looks \
             like something else in quotes",
        );
    }
    if let Some((low, high)) = text.split_once(':') {
        return port_range(value, low, high).map(PortMatch::Range);
    }
    port_name(value, text).map(PortMatch::Named)
}

fn port_range(value: &Value<'_>, low: &str, high: &str) -> Option<PortRange> {
    let (Some(low), Some(high)) = (decimal(low), decimal(high)) else {
        return value.error(
            Code::Syntax,
            "is not a range of ports",
            "write low:high, such as \"80:443\"",
        );
    };
    let (Ok(first), Ok(last)) = (u16::try_from(low), u16::try_from(high)) else {
        return value.error(
            Code::Range,
            "port is out of range",
            "write ports from 1 to 65535",
        );
    };
    if first == 0 {
        return value.error(
            Code::Range,
            "port 0 cannot be matched",
            format!("write 1:{last}"),
        );
    }
    let range = PortRange::new(first, last);
    if range.is_none() {
        value.error::<()>(
            Code::Range,
            format!("port range {first}:{last} is reversed"),
            format!("write {last}:{first}"),
        );
    }
    range
}

/// A port's name (RS-022).
pub(super) fn port_name(value: &Value<'_>, name: &str) -> Option<PortName> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_valid = (1..=15).contains(&name.len())
        && name.bytes().all(inside)
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if is_valid {
        return Some(Arc::from(name));
    }
    let advice = match name.split_once('-') {
        Some((low, high)) if decimal(low).is_some() && decimal(high).is_some() => {
            format!("write a range as \"{low}:{high}\"")
        }
        _ => {
            "write a port from 1 to 65535, or a name of at most 15 lower-case letters, digits and \
              single '-' inside, with at least one letter"
                .to_owned()
        }
    };
    value.error(Code::Name, "is not a port or port name", advice)
}

/// A network of a rule: a CIDR without host bits (RS-024).
pub(super) fn rule_net(value: &Value<'_>) -> Option<IpNetwork> {
    let text = value.text()?;
    let Some(net) = any_net(text) else {
        return not_a_net(value, "write a CIDR such as 192.0.2.0/24 or 2001:db8::/32");
    };
    if is_mapped(net) {
        warn_mapped(value);
    }
    if !text.contains('/') {
        return value.error(
            Code::Cidr,
            "address without prefix length",
            format!("write {net}"),
        );
    }
    let masked = mask(net);
    if masked != net {
        return value.error(
            Code::Cidr,
            "address has bits set beyond its prefix",
            format!("write {masked}"),
        );
    }
    Some(net)
}

/// A network of a set: a CIDR or an address; bits beyond the prefix are masked off (RS-025).
pub(super) fn set_net(value: &Value<'_>) -> Option<IpNetwork> {
    match any_net(value.text()?) {
        Some(net) => {
            if is_mapped(net) {
                warn_mapped(value);
            }
            Some(mask(net))
        }
        None => not_a_net(value, "write a CIDR such as 192.0.2.0/24, or an address"),
    }
}

/// A network of a set, if its text is right and not odd.
pub(super) fn masked_net(text: &str) -> Option<IpNetwork> {
    parse_net(text).map(mask)
}

fn not_a_net(value: &Value<'_>, advice: &str) -> Option<IpNetwork> {
    value.error(Code::Cidr, "is not a network", advice)
}

/// Whether this is an IPv4 network in IPv6 form, which no packet carries.
pub(super) fn is_mapped(net: IpNetwork) -> bool {
    matches!(net.ip(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// RS-304.
fn warn_mapped(value: &Value<'_>) {
    value.warn(
        Code::MappedAddress,
        "is an IPv4 address in IPv6 form, which no packet carries, so it never matches",
        "write the IPv4 address",
    );
}

/// An address with an optional prefix length, in Go's strict syntax; host bits are kept. `None` also
/// for one that no packet carries.
pub(super) fn parse_net(text: &str) -> Option<IpNetwork> {
    any_net(text).filter(|net| !is_mapped(*net))
}

/// An address with an optional prefix length, in Go's strict syntax; host bits are kept.
fn any_net(text: &str) -> Option<IpNetwork> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) if prefix.len() <= 3 => u8::try_from(decimal(prefix)?).ok()?,
        Some(_) => return None,
        None => bits,
    };
    IpNetwork::new(address, prefix).ok()
}

fn mask(net: IpNetwork) -> IpNetwork {
    IpNetwork::new(net.network(), net.prefix()).unwrap_or(net)
}

/// An address without prefix length (RS-027).
pub(super) fn address(value: &Value<'_>, text: &str) -> Option<IpAddr> {
    match text.parse() {
        Ok(address) => {
            if is_mapped(IpNetwork::from(address)) {
                warn_mapped(value);
            }
            Some(address)
        }
        Err(_) => value.error(
            Code::Cidr,
            "is not an address",
            match text.split_once('/') {
                Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                    format!("write {address}, without prefix length")
                }
                _ => "write an address such as 192.0.2.1 or 2001:db8::1".to_owned(),
            },
        ),
    }
}

/// Whether this is a network interface's name (RS-026).
pub(super) fn is_interface_name(name: &str) -> bool {
    (1..=MAX_INTERFACE).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// A selector that does not use `global()` (RS-049, RS-101); `None` also if it is empty.
pub(super) fn selector(value: &Value<'_>) -> Option<Arc<Selector>> {
    let selector = parse_selector(value, value.text()?)?;
    if selector.uses_global() {
        return value.error(
            Code::Selector,
            "global() is not allowed here",
            "select by labels; only a rule's namespaceSelector may be global()",
        );
    }
    Some(selector)
}

/// A selector; `None` also if it is empty.
pub(super) fn parse_selector(value: &Value<'_>, text: &str) -> Option<Arc<Selector>> {
    if text.is_empty() {
        return None;
    }
    match Selector::parse(text) {
        Ok(selector) => {
            let characters = text.chars().count();
            if characters > SCHEMA_CHARACTERS && !value.is_stored() {
                value.warn(
                    Code::Schema,
                    format!(
                        "has {characters} characters; Calico's schema allows {SCHEMA_CHARACTERS} \
                         from 3.33 on"
                    ),
                    "shorten it if Calico is to take it as well",
                );
            }
            Some(Arc::new(selector))
        }
        Err(error) => value.error(Code::Selector, error.to_string(), selector_advice(text)),
    }
}

/// Advice for a text that is no selector.
fn selector_advice(text: &str) -> &'static str {
    let word = |word: &str| {
        text.split_whitespace()
            .any(|part| part.eq_ignore_ascii_case(word))
    };
    if Selector::parse(text.trim_end_matches('\n')).is_ok() {
        "end the line with >- instead of > or |, so that no line break is kept"
    } else if word("and") || word("or") {
        "write && for and, || for or"
    } else {
        "write a selector such as role == 'web' && has(public)"
    }
}
