//! A policy in the language of nftables.

use std::fmt::Write as _;

use super::{
    policy::{Accepted, Policy},
    testbed::{INSIDE, Way},
};
use crate::policy::{member, network, port};

/// How nftables holds what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One rule after the other.
    Rules,
    /// In one interval set.
    Set,
    /// In a map from the port to the chain of its rule.
    Map,
}

impl Policy {
    /// A table of nftables; a set of members is one in every form.
    pub(super) fn nftables(self, form: Form) -> String {
        let (definitions, rules) = match (self.accepted, form) {
            (Accepted::Rules(count), Form::Rules) => (String::new(), self.each_rule(count)),
            (Accepted::Rules(count), Form::Set) => self.set_of_rules(count),
            (Accepted::Rules(count), Form::Map) => self.map_of_rules(count),
            (Accepted::Members(count), _) => self.set_of_members(count),
        };
        let (hook, interface) = match self.way {
            Way::In => ("input", String::new()),
            Way::Through => ("forward", format!("oifname != {INSIDE} accept\n")),
        };
        let known = if self.tracked {
            "ct state established,related accept\n"
        } else {
            ""
        };
        format!(
            "table inet bench {{\n{definitions}\
             chain filter {{\ntype filter hook {hook} priority 0; policy drop;\n\
             {interface}{known}{rules}}}\n}}\n"
        )
    }

    /// A rule for each accepted network and port.
    fn each_rule(self, count: usize) -> String {
        let ip = self.header();
        let mut rules = String::new();
        for number in 0..count {
            let _infallible = writeln!(
                rules,
                "{ip} saddr {} udp dport {} accept",
                network(number, self.v6),
                port(number)
            );
        }
        rules
    }

    /// The set of accepted networks and ports, and the rule that refers to it.
    fn set_of_rules(self, count: usize) -> (String, String) {
        let (ip, kind) = (self.header(), self.address_type());
        let elements =
            (0..count).map(|number| format!("{} . {}", network(number, self.v6), port(number)));
        (
            set(&format!("{kind} . inet_service"), elements),
            format!("meta l4proto udp {ip} saddr . udp dport @accepted accept\n"),
        )
    }

    /// The map from accepted ports to chains, the chains, and the rule that looks up the map.
    fn map_of_rules(self, count: usize) -> (String, String) {
        let ip = self.header();
        let mut text = "map chains {\ntype inet_service : verdict\nelements = { ".to_owned();
        for number in 0..count {
            let _infallible = writeln!(text, "{} : jump r{number},", port(number));
        }
        text.push_str("}\n}\n");
        for number in 0..count {
            let source = network(number, self.v6);
            let _infallible = writeln!(text, "chain r{number} {{\n{ip} saddr {source} accept\n}}");
        }
        (text, "udp dport vmap @chains\n".to_owned())
    }

    /// The set of accepted sources, and the rule that refers to it.
    fn set_of_members(self, count: usize) -> (String, String) {
        let (ip, kind) = (self.header(), self.address_type());
        (
            set(kind, (0..count).map(|number| member(number, self.v6))),
            format!("meta l4proto udp {ip} saddr @accepted accept\n"),
        )
    }

    /// The name of the family's header.
    fn header(self) -> &'static str {
        if self.v6 { "ip6" } else { "ip" }
    }

    /// The name of the type of the family's addresses.
    fn address_type(self) -> &'static str {
        if self.v6 { "ipv6_addr" } else { "ipv4_addr" }
    }
}

/// A set of intervals.
fn set(kind: &str, elements: impl Iterator<Item = String>) -> String {
    let mut text =
        format!("set accepted {{\ntype {kind}\nflags interval\nauto-merge\nelements = {{ ");
    for element in elements {
        text.push_str(&element);
        text.push_str(",\n");
    }
    text.push_str("}\n}\n");
    text
}
