//! Records of packets that `Log` rules matched, and of denied packets, with the names of their rules.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use hep_common::{
    Direction,
    counter::Reason,
    event::{Event, MAX_LOGGED_RULES},
    protocol,
};
use serde::{Deserialize, Serialize};

use crate::{
    compile::{Description, RuleDescription},
    model::{Protocol, written_at},
};

/// An event with names in place of numbers.
///
/// As text it is one printable line: the prefix of the `Log` rule, the final verdict with the rule that
/// decided, and the packet (spec EV-135).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Unix time at which the daemon received it, milliseconds.
    pub unix_ms: u64,
    /// `allow` or `deny`.
    pub verdict: String,
    /// Name of the [`Reason`].
    pub reason: String,
    /// The rule or default that decided; none where the reason is complete without one.
    pub by: Option<Decider>,
    /// Prefix of the first `Log` rule that matched.
    pub log_prefix: String,
    /// The first [`MAX_LOGGED_RULES`] `Log` rules that matched; none: the packet was denied, and
    /// denials are reported.
    pub logged: Vec<Decider>,
    /// Number of `Log` rules that matched beyond those.
    pub more_logged: u32,
    /// Interface.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// Whether the packet was routed through this host.
    pub forwarded: bool,
    /// Whether it was judged in translated form, on its way to a process of this host.
    #[serde(default)]
    pub translated: bool,
    /// Source.
    pub src: Option<IpAddr>,
    /// Destination.
    pub dst: Option<IpAddr>,
    /// Name or number of the protocol.
    pub protocol: String,
    /// Source port, for protocols with ports.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// ICMP or ICMPv6 type.
    pub icmp_type: Option<u8>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<u8>,
    /// Length of the frame, bytes.
    pub bytes: u32,
    /// Generation that judged the packet.
    pub generation: u32,
}

/// A rule or default, and where it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decider {
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place, such as `ingress[2]`, or the kind of default; the number of a rule that is no
    /// longer in force.
    pub rule: String,
    /// File; empty for defaults.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
}

impl Record {
    /// Converts an event, with the names of the generation in force. An event of an earlier generation
    /// keeps its numbers, but its rules may have lost their names.
    #[must_use]
    pub fn new(event: &Event, description: &Description, unix_ms: u64) -> Self {
        let matched = usize::try_from(event.logged_count).unwrap_or(MAX_LOGGED_RULES);
        let slots = event.logged.iter().take(matched);
        let (verdict, reason) = match Reason::try_from(event.reason) {
            Ok(reason) if reason.allows() => ("allow", reason.name().to_owned()),
            Ok(reason) => ("deny", reason.name().to_owned()),
            Err(number) => ("", number.to_string()),
        };
        let address = |octets| Some(Ipv6Addr::from(octets).to_canonical());
        let has_ports = protocol::is_keyed_by_ports(event.protocol);
        let is_icmp = matches!(event.protocol, protocol::ICMP | protocol::ICMPV6);
        Self {
            unix_ms,
            verdict: verdict.to_owned(),
            reason,
            by: (event.slot != 0).then(|| Decider::new(description, event.slot)),
            log_prefix: event
                .logged
                .first()
                .filter(|_| matched > 0)
                .and_then(|slot| rule(description, *slot))
                .map_or_else(String::new, |rule| rule.log_prefix.clone()),
            logged: slots.map(|slot| Decider::new(description, *slot)).collect(),
            more_logged: u32::try_from(matched.saturating_sub(MAX_LOGGED_RULES))
                .unwrap_or(u32::MAX),
            interface: description
                .interfaces
                .iter()
                .find(|interface| interface.ifindex == event.ifindex)
                .map_or_else(
                    || event.ifindex.to_string(),
                    |interface| interface.name.clone(),
                ),
            direction: if event.direction == Direction::Ingress as u8 {
                "ingress"
            } else {
                "egress"
            }
            .to_owned(),
            forwarded: event.forwarded != 0,
            translated: event.translated != 0,
            src: address(event.src),
            dst: address(event.dst),
            protocol: protocol_name(event.protocol),
            src_port: has_ports.then_some(event.src_port),
            dst_port: has_ports.then_some(event.dst_port),
            icmp_type: is_icmp.then_some(event.icmp_type),
            icmp_code: is_icmp.then_some(event.icmp_code),
            bytes: event.frame_bytes,
            generation: event.generation,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.log_prefix.is_empty() {
            write!(f, "{}: ", self.log_prefix)?;
        }
        if !self.verdict.is_empty() {
            write!(f, "{} ", self.verdict)?;
        }
        write!(f, "reason={}", self.reason)?;
        if let Some(decider) = &self.by {
            write!(f, " by={decider}")?;
        }
        for rule in &self.logged {
            write!(f, " log={rule}")?;
        }
        if self.more_logged > 0 {
            write!(f, " more_logs={}", self.more_logged)?;
        }
        write!(f, " if={} dir={}", self.interface, self.direction)?;
        if self.forwarded {
            f.write_str(" forwarded")?;
        }
        if self.translated {
            f.write_str(" translated")?;
        }
        for (name, address) in [("src", self.src), ("dst", self.dst)] {
            if let Some(address) = address {
                write!(f, " {name}={address}")?;
            }
        }
        write!(f, " proto={}", self.protocol)?;
        if let (Some(source), Some(destination)) = (self.src_port, self.dst_port) {
            write!(f, " spt={source} dpt={destination}")?;
        }
        if let (Some(icmp_type), Some(code)) = (self.icmp_type, self.icmp_code) {
            write!(f, " type={icmp_type} code={code}")?;
        }
        write!(f, " len={}", self.bytes)?;
        let place = |by: &Decider| written_at(&by.file, by.line);
        match self.by.as_ref().and_then(place) {
            Some(place) => write!(f, " at={place}"),
            None => Ok(()),
        }
    }
}

impl Decider {
    fn new(description: &Description, slot: u32) -> Self {
        match rule(description, slot) {
            Some(rule) => Self {
                tier: rule.tier.clone(),
                policy: rule.policy.clone(),
                rule: rule.rule.clone(),
                file: rule.file.clone(),
                line: rule.line,
            },
            None => Self {
                rule: format!("rule-{slot}"),
                ..Self::default()
            },
        }
    }
}

impl fmt::Display for Decider {
    /// `tier/kind/name/rule`, without spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [&self.tier, &self.policy, &self.rule]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.replace(' ', "-"))
            .collect();
        f.write_str(&parts.join("/"))
    }
}

fn rule(description: &Description, slot: u32) -> Option<&RuleDescription> {
    let found = description
        .rules
        .binary_search_by_key(&slot, |rule| rule.slot)
        .ok()?;
    description.rules.get(found).map(|rule| &**rule)
}

/// The name that rules use for a protocol, else its number.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    let by_name = true;
    Protocol { number, by_name }.to_string()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use std::sync::Arc;

    use super::*;
    use crate::compile::InterfaceDescription;

    fn described() -> Description {
        let rule = |slot, rule: &str, action: &str, log_prefix: &str| RuleDescription {
            slot,
            tier: "default".to_owned(),
            policy: "GlobalNetworkPolicy/web".to_owned(),
            rule: rule.to_owned(),
            file: "web.yaml".to_owned(),
            line: slot,
            action: action.to_owned(),
            log_prefix: log_prefix.to_owned(),
            ..RuleDescription::default()
        };
        Description {
            interfaces: vec![InterfaceDescription {
                name: "eth0".to_owned(),
                ifindex: 2,
                ..InterfaceDescription::default()
            }],
            rules: vec![
                Arc::new(rule(3, "ingress[0]", "Log", "gnp web")),
                Arc::new(rule(5, "end of tier", "Deny", "")),
            ]
            .into(),
            ..Description::default()
        }
    }

    fn mapped(address: &str) -> [u8; 16] {
        match address.parse().expect("the test writes addresses") {
            IpAddr::V4(v4) => Ipv4Addr::to_ipv6_mapped(&v4).octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    fn event() -> Event {
        Event {
            src: mapped("198.51.100.7"),
            dst: mapped("192.0.2.10"),
            ifindex: 2,
            frame_bytes: 74,
            slot: 5,
            logged: [3, 0, 0, 0],
            logged_count: 1,
            src_port: 40_000,
            dst_port: 80,
            protocol: protocol::TCP,
            reason: Reason::TierDefault as u8,
            ..Event::default()
        }
    }

    /// EV-135, RS-196: prefix, final verdict, deciding rule, packet.
    #[test]
    fn a_record_says_prefix_verdict_rule_and_packet() {
        assert_eq!(
            Record::new(&event(), &described(), 0).to_string(),
            "gnp web: deny reason=tier_default by=default/GlobalNetworkPolicy/web/end-of-tier \
             log=default/GlobalNetworkPolicy/web/ingress[0] if=eth0 dir=ingress \
             src=198.51.100.7 dst=192.0.2.10 proto=TCP spt=40000 dpt=80 len=74 \
             at=web.yaml:5"
        );
    }

    #[test]
    fn an_ipv6_icmp_record_has_type_and_code_and_unknown_numbers_stay_numbers() {
        let event = Event {
            src: mapped("2001:db8::7"),
            dst: mapped("2001:db8::10"),
            ifindex: 9,
            slot: 77,
            logged: [3; 4],
            logged_count: 6,
            protocol: protocol::ICMPV6,
            icmp_type: 128,
            reason: Reason::PolicyAllow as u8,
            direction: Direction::Egress as u8,
            forwarded: 1,
            ..event()
        };
        let line = Record::new(&event, &described(), 0).to_string();
        assert!(
            line.starts_with("gnp web: allow reason=policy_allow by=rule-77 "),
            "{line}"
        );
        assert!(
            line.contains(" more_logs=2 if=9 dir=egress forwarded src=2001:db8::7 "),
            "{line}"
        );
        assert!(
            line.ends_with(" proto=ICMPv6 type=128 code=0 len=74"),
            "{line}"
        );
    }
}
