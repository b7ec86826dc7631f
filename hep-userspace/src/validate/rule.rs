//! A rule and what must hold between its fields (RS-074 to RS-093).

use std::collections::BTreeMap;

use hep_common::protocol::{ICMP, ICMPV6};
use ipnetwork::IpNetwork;

use super::{
    Code,
    cursor::Value,
    entity::{Side, side},
    http, names,
    object::Object,
    scalars::protocol,
    unjudged::narrowed,
};
use crate::model::{Action, IcmpMatch, IpFamily, Protocol, Rule};

/// Most rules in one direction of a policy or profile in Calico's schema (RS-302).
const MAX_RULES: usize = 1024;

const ACTIONS: [(&str, Action); 4] = [
    ("Allow", Action::Allow),
    ("Deny", Action::Deny),
    ("Log", Action::Log),
    ("Pass", Action::Pass),
];

/// Decodes the rules of one direction.
pub(super) fn rules(value: &Value<'_>) -> Option<Vec<Rule>> {
    value.warn_if_longer(MAX_RULES);
    let decoded: Vec<Option<Option<Rule>>> = value.items()?.map(|item| rule(&item)).collect();
    let decoded: Option<Vec<Option<Rule>>> = decoded.into_iter().collect();
    Some(decoded?.into_iter().flatten().collect())
}

/// A rule; `Some(None)` if it counts as none, `None` if it has a problem.
fn rule(value: &Value<'_>) -> Option<Option<Rule>> {
    let object = value.object()?;
    let action = object
        .required("action", "write Allow, Deny, Log or Pass")
        .and_then(|value| value.choice(&ACTIONS));
    let ip_version = object.read("ipVersion", ip_version);
    let protocol_field = object.read("protocol", protocol);
    let not_protocol = object.read("notProtocol", protocol);
    let icmp = object.read("icmp", icmp);
    let not_icmp = object.read("notICMP", self::icmp);
    let source = side(object.optional("source"));
    let destination = side(object.optional("destination"));
    let annotations = object.read_or("metadata", BTreeMap::new(), annotations);
    let http = object.optional("http");
    if let Some(http) = &http {
        http::refuse(http);
    }

    let sides = [&source, &destination];
    if let Some(protocol) = protocol_field {
        check_ports(&sides, protocol);
        check_icmp(&object, protocol);
    }
    let (family, protocol) = (ip_version.flatten(), protocol_field.flatten());
    let mixed = check_one_family(&sides);
    if !mixed {
        check_family(&object, &sides, family, protocol);
    }
    check_protocol_family(&object, "protocol", protocol, family);
    check_protocol_family(&object, "notProtocol", not_protocol.flatten(), family);

    let has_unjudged = http.is_some() || source.is_unjudged || destination.is_unjudged;
    let is_unjudged = object.finish_conditions() || has_unjudged;
    let rule = Rule {
        action: action?,
        ip_version: ip_version?,
        protocol: protocol_field?,
        not_protocol: not_protocol?,
        icmp: icmp?,
        not_icmp: not_icmp?,
        source: source.rule?,
        destination: destination.rule?,
        annotations: annotations?,
        position: value.position(),
    };
    if is_unjudged {
        return Some(narrowed(rule, value));
    }
    Some(Some(rule))
}

fn ip_version(value: &Value<'_>) -> Option<IpFamily> {
    match value.integer(0..=255)? {
        4 => Some(IpFamily::V4),
        6 => Some(IpFamily::V6),
        _ => value.error(Code::Enum, "is not an IP version", "write 4 or 6"),
    }
}

fn annotations(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let metadata = value.object()?;
    let annotations = metadata.read_or("annotations", BTreeMap::new(), names::annotations);
    metadata.finish();
    annotations
}

/// RS-023.
fn icmp(value: &Value<'_>) -> Option<IcmpMatch> {
    let object = value.object()?;
    let number = |key: &'static str, most: u8| {
        object.read(key, |value| {
            u8::try_from(value.integer(0..=i64::from(most))?).ok()
        })
    };
    let (icmp_type, code) = (number("type", 254), number("code", 255));
    if code.flatten().is_some() && !object.has("type") {
        object.value.error::<()>(
            Code::IcmpProtocol,
            "code without type",
            "write the type too",
        );
    }
    object.finish();
    Some(IcmpMatch {
        icmp_type: icmp_type?,
        code: code?,
    })
}

/// RS-081 to RS-083.
fn check_ports(sides: &[&Side<'_>; 2], protocol: Option<Protocol>) {
    for list in sides.iter().flat_map(|side| &side.port_lists) {
        match protocol {
            None if list.numeric => {
                list.value.error::<()>(
                    Code::PortProtocol,
                    "numeric ports need a protocol",
                    "add protocol: TCP, UDP or SCTP to the rule",
                );
            }
            Some(protocol) if !protocol.has_ports() => {
                list.value.error::<()>(
                    Code::PortProtocol,
                    format!("protocol {protocol} has no ports"),
                    "write protocol: TCP, UDP or SCTP",
                );
            }
            _ => {}
        }
    }
}

/// RS-084, RS-085.
fn check_icmp(rule: &Object<'_>, protocol: Option<Protocol>) {
    if protocol.is_some_and(|protocol| matches!(protocol.number, ICMP | ICMPV6)) {
        return;
    }
    for key in ["icmp", "notICMP"] {
        if let Some(value) = rule.optional(key) {
            value.error::<()>(
                Code::IcmpProtocol,
                format!("{key} needs protocol ICMP or ICMPv6"),
                "write protocol: ICMP for IPv4 or protocol: ICMPv6 for IPv6",
            );
        }
    }
}

const fn family(net: IpNetwork) -> IpFamily {
    match net {
        IpNetwork::V4(_) => IpFamily::V4,
        IpNetwork::V6(_) => IpFamily::V6,
    }
}

const fn family_name(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "IPv4",
        IpFamily::V6 => "IPv6",
    }
}

/// RS-088; whether the rule mixes families.
fn check_one_family(sides: &[&Side<'_>; 2]) -> bool {
    let mut nets = sides.iter().flat_map(|side| &side.nets);
    let Some((_, first)) = nets.next() else {
        return false;
    };
    let Some((value, other)) = nets.find(|(_, net)| family(*net) != family(*first)) else {
        return false;
    };
    value.error::<()>(
        Code::Family,
        format!(
            "{} network in a rule that also has {} networks, such as {first}",
            family_name(family(*other)),
            family_name(family(*first)),
        ),
        "write one rule for each family",
    );
    true
}

/// RS-089, RS-091.
fn check_family(
    rule: &Object<'_>,
    sides: &[&Side<'_>; 2],
    ip_version: Option<IpFamily>,
    protocol: Option<Protocol>,
) {
    let implied = protocol.and_then(Protocol::implied_family);
    let (Some(wanted), key) = (match ip_version {
        Some(_) => (ip_version, "ipVersion"),
        None => (implied, "protocol"),
    }) else {
        return;
    };
    let mut nets = sides.iter().flat_map(|side| &side.nets);
    if let Some((value, net)) = nets.find(|(_, net)| family(*net) != wanted) {
        let said = rule.optional(key).and_then(|value| value.scalar());
        let said = said.map_or("", |scalar| &*scalar.text);
        value.error::<()>(
            Code::Family,
            format!(
                "{} network in a rule with {key}: {said}",
                family_name(family(*net))
            ),
            format!("write {} networks, or change {key}", family_name(wanted)),
        );
    }
}

/// RS-086, RS-087.
fn check_protocol_family(
    rule: &Object<'_>,
    key: &'static str,
    protocol: Option<Protocol>,
    ip_version: Option<IpFamily>,
) {
    let (wrong, right) = match (protocol.map(|protocol| protocol.number), ip_version) {
        (Some(ICMP), Some(IpFamily::V6)) => ("ICMP with ipVersion: 6", "ICMPv6"),
        (Some(ICMPV6), Some(IpFamily::V4)) => ("ICMPv6 with ipVersion: 4", "ICMP"),
        _ => return,
    };
    let Some(value) = rule.optional(key) else {
        return;
    };
    let advice = format!("write {right}, or change ipVersion");
    if protocol.is_some_and(|protocol| protocol.by_name) {
        value.error::<()>(Code::Family, wrong, advice);
    } else {
        // RS-304: a number is looked for in packets of any family.
        let outcome = match key {
            "protocol" => "which no packet has, so the rule never matches",
            _ => "which no packet has, so it excludes nothing",
        };
        value.warn(Code::NeverMatches, format!("{wrong}, {outcome}"), advice);
    }
}
