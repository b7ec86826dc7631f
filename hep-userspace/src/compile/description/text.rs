//! The packets that a rule matches, in one line.

use std::fmt::Write as _;

use crate::model::{EntityRule, FailsafePort, IcmpMatch, PortMatch, Rule};

/// The conditions of a rule: `TCP, from 10.0.0.0/8, to ports 80,443`; `everything` without any.
pub(crate) fn rule_text(rule: &Rule) -> String {
    let mut parts = Vec::new();
    parts.extend(
        rule.ip_version
            .map(|family| format!("IPv{}", family_number(family))),
    );
    parts.extend(rule.protocol.map(|protocol| protocol.to_string()));
    parts.extend(rule.not_protocol.map(|protocol| format!("not {protocol}")));
    parts.extend(rule.icmp.map(|icmp| icmp_text("icmp", icmp)));
    parts.extend(rule.not_icmp.map(|icmp| icmp_text("not icmp", icmp)));
    parts.extend(side_text("from", &rule.source));
    parts.extend(side_text("to", &rule.destination));
    if parts.is_empty() {
        "everything".to_owned()
    } else {
        parts.join(", ")
    }
}

/// The conditions of a failsafe port; `end` is `from` or `to`.
pub(crate) fn failsafe_text(port: &FailsafePort, port_end: &str, net_end: &str) -> String {
    let mut text = format!("{}, {port_end} port {}", port.protocol, port.port);
    if let Some(net) = port.net {
        write!(text, ", {net_end} {net}").expect("a String takes everything");
    }
    text
}

/// 4 or 6.
pub(crate) const fn family_number(family: crate::model::IpFamily) -> u8 {
    match family {
        crate::model::IpFamily::V4 => 4,
        crate::model::IpFamily::V6 => 6,
    }
}

fn icmp_text(word: &str, icmp: IcmpMatch) -> String {
    match (icmp.icmp_type, icmp.code) {
        (None, _) => format!("{word} any"),
        (Some(icmp_type), None) => format!("{word} type {icmp_type}"),
        (Some(icmp_type), Some(code)) => format!("{word} type {icmp_type} code {code}"),
    }
}

fn side_text(word: &str, side: &EntityRule) -> Option<String> {
    let mut parts = Vec::new();
    if !side.nets.is_empty() {
        parts.push(join(&side.nets));
    }
    if !side.not_nets.is_empty() {
        parts.push(format!("not {}", join(&side.not_nets)));
    }
    parts.extend(
        side.selector
            .as_ref()
            .map(|s| format!("selector {}", s.canonical())),
    );
    parts.extend(
        side.not_selector
            .as_ref()
            .map(|s| format!("not selector {}", s.canonical())),
    );
    if !side.ports.is_empty() {
        parts.push(format!("ports {}", ports_text(&side.ports)));
    }
    if !side.not_ports.is_empty() {
        parts.push(format!("not ports {}", ports_text(&side.not_ports)));
    }
    (!parts.is_empty()).then(|| format!("{word} {}", parts.join(" ")))
}

fn ports_text(ports: &[PortMatch]) -> String {
    let texts: Vec<String> = ports
        .iter()
        .map(|port| match port {
            PortMatch::Range(range) => range.to_string(),
            PortMatch::Named(name) => name.to_string(),
        })
        .collect();
    texts.join(",")
}

fn join<T: ToString>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(T::to_string).collect();
    texts.join(",")
}

/// `logPrefix` with its specifiers filled in (RS-196): `%t` tier, `%k` kind in short, `%n` name, `%p` the
/// name with its namespace (there is none).
pub(crate) fn log_prefix(template: &str, tier: &str, kind: &str, name: &str) -> String {
    let kind = match kind {
        "GlobalNetworkPolicy" => "gnp",
        "StagedGlobalNetworkPolicy" => "sgnp",
        _ => "pro",
    };
    template
        .replace("%t", tier)
        .replace("%k", kind)
        .replace("%n", name)
        .replace("%p", name)
}
