//! Records of `Log` rules, and of denied packets, as lines of the log.

use std::{fmt::Write as _, net::Ipv6Addr};

use hep_common::{
    Direction,
    counter::Reason,
    event::{Event, MAX_LOGGED_RULES},
    protocol,
};

use crate::{
    compile::{Description, RuleDescription},
    model::Protocol,
};

/// One line about an event: the prefix of the `Log` rule, the final verdict with the rule that
/// decided, and the packet (spec EV-133 to EV-135). An event of a generation that is gone keeps its
/// numbers, but its rules may have lost their names.
#[must_use]
pub fn line(event: &Event, description: &Description) -> String {
    let mut line = String::new();
    let logged: Vec<_> = event
        .logged
        .iter()
        .take(usize::try_from(event.logged_count).unwrap_or(MAX_LOGGED_RULES))
        .map(|slot| (slot, rule(description, *slot)))
        .collect();
    if let Some((_, Some(first))) = logged.first() {
        push(&mut line, format_args!("{}: ", first.log_prefix));
    }
    match Reason::try_from(event.reason) {
        Ok(reason) => {
            let verdict = if reason.allows() { "allow" } else { "deny" };
            push(
                &mut line,
                format_args!("{verdict} reason={}", reason.name()),
            );
        }
        Err(number) => push(&mut line, format_args!("reason={number}")),
    }
    if event.slot != 0 {
        push(
            &mut line,
            format_args!(" by={}", name(description, event.slot)),
        );
    }
    for (slot, _) in &logged {
        push(
            &mut line,
            format_args!(" log={}", name(description, **slot)),
        );
    }
    let unlisted = usize::try_from(event.logged_count)
        .unwrap_or(MAX_LOGGED_RULES)
        .saturating_sub(MAX_LOGGED_RULES);
    if unlisted > 0 {
        push(&mut line, format_args!(" more_logs={unlisted}"));
    }
    let interface = description
        .interfaces
        .iter()
        .find(|interface| interface.ifindex == event.ifindex)
        .map_or_else(
            || event.ifindex.to_string(),
            |interface| interface.name.clone(),
        );
    let direction = if event.direction == Direction::Ingress as u8 {
        "ingress"
    } else {
        "egress"
    };
    push(&mut line, format_args!(" if={interface} dir={direction}"));
    if event.forwarded != 0 {
        line.push_str(" forwarded");
    }
    push_packet(&mut line, event);
    line
}

fn push_packet(line: &mut String, event: &Event) {
    let address = |octets| Ipv6Addr::from(octets).to_canonical();
    push(
        line,
        format_args!(
            " src={} dst={} proto={}",
            address(event.src),
            address(event.dst),
            protocol_name(event.protocol)
        ),
    );
    match event.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => push(
            line,
            format_args!(" spt={} dpt={}", event.src_port, event.dst_port),
        ),
        protocol::ICMP | protocol::ICMPV6 => push(
            line,
            format_args!(" type={} code={}", event.icmp_type, event.icmp_code),
        ),
        _ => {}
    }
    push(line, format_args!(" len={}", event.frame_bytes));
}

/// `tier/kind/name/rule`, without spaces.
fn name(description: &Description, slot: u32) -> String {
    let Some(rule) = rule(description, slot) else {
        return format!("rule-{slot}");
    };
    let parts = [&rule.tier, &rule.policy, &rule.rule];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.replace(' ', "-"))
        .collect();
    parts.join("/")
}

fn rule(description: &Description, slot: u32) -> Option<&RuleDescription> {
    let found = description
        .rules
        .binary_search_by_key(&slot, |rule| rule.slot)
        .ok()?;
    description.rules.get(found)
}

/// The name that rules use for a protocol, else its number.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    let by_name = true;
    Protocol { number, by_name }.to_string()
}

fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text)
        .expect("a String takes whatever is written");
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::compile::InterfaceDescription;

    fn described() -> Description {
        let rule = |slot, rule: &str, action: &str, log_prefix: &str| RuleDescription {
            slot,
            tier: "default".to_owned(),
            policy: "GlobalNetworkPolicy/web".to_owned(),
            rule: rule.to_owned(),
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
                rule(3, "ingress[0]", "Log", "gnp web"),
                rule(5, "end of tier", "Deny", ""),
            ],
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

    /// EV-133, EV-135, RS-196: prefix, final verdict, deciding rule, packet.
    #[test]
    fn a_record_says_prefix_verdict_rule_and_packet() {
        assert_eq!(
            line(&event(), &described()),
            "gnp web: deny reason=tier_default by=default/GlobalNetworkPolicy/web/end-of-tier \
             log=default/GlobalNetworkPolicy/web/ingress[0] if=eth0 dir=ingress \
             src=198.51.100.7 dst=192.0.2.10 proto=TCP spt=40000 dpt=80 len=74"
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
        let line = line(&event, &described());
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
