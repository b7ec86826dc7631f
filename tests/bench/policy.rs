//! Resource sets of a given size and shape, and packets that meet them.

use std::fmt::Write as _;

/// Name of the node that the resources are for.
pub(crate) use hep_tests::policy::NODE;

/// Name of the policed interface.
pub(crate) const INTERFACE: &str = "bench0";
/// Most rules in one policy (RS-051).
const RULES_PER_POLICY: usize = 1000;
/// Distinct source networks of the uniform rules.
const SOURCES: usize = 1000;

/// How the rules of a set are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Rule *i* matches one of 1 000 source networks and one port of its own.
    Uniform,
    /// Rule *i* matches one port of its own, any source.
    Friendly,
    /// Every word of every row is set for the packet, and no rule matches it.
    Adversarial,
}

/// The port that rule `number` matches.
pub(crate) fn port(number: usize) -> u16 {
    u16::try_from(1000 + number % 60_000).unwrap_or(u16::MAX)
}

/// A source address that rule `number` of the uniform shape matches.
pub(crate) fn source(number: usize, v6: bool) -> String {
    let set = number % SOURCES;
    if v6 {
        format!("2001:db8:{:x}::7", set + 1)
    } else {
        format!("10.{}.{}.7", 1 + set / 250, set % 250)
    }
}

/// The network around [`source`].
pub(crate) fn network(number: usize, v6: bool) -> String {
    let set = number % SOURCES;
    if v6 {
        format!("2001:db8:{:x}::/48", set + 1)
    } else {
        format!("10.{}.{}.0/24", 1 + set / 250, set % 250)
    }
}

/// One endpoint on [`INTERFACE`] without failsafes, under `rules` rules of `action`, as YAML.
pub(crate) fn resources(shape: Shape, rules: usize, v6: bool, action: &str) -> String {
    in_policies(RULES_PER_POLICY, shape, rules, v6, action)
}

/// One endpoint on [`INTERFACE`] without failsafes, under uniform rules that accept, each in a policy of
/// its own.
pub(crate) fn policies(count: usize, v6: bool) -> String {
    in_policies(1, Shape::Uniform, count, v6, "Allow")
}

/// Rules in policies of at most `most` each.
fn in_policies(most: usize, shape: Shape, rules: usize, v6: bool, action: &str) -> String {
    let mut text = endpoint();
    for (policy, first) in (0..rules).step_by(most).enumerate() {
        let last = rules.min(first + most);
        let _infallible = write!(
            text,
            "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n\
             metadata: {{name: rules-{policy}}}\n\
             spec:\n  order: {policy}\n  types: [Ingress]\n  ingress:\n"
        );
        for number in first..last {
            text.push_str(&rule(shape, number, v6, action));
        }
    }
    text
}

/// One rule as a line of YAML.
fn rule(shape: Shape, number: usize, v6: bool, action: &str) -> String {
    let (own, other) = if v6 {
        ("2001:db8:1::/48", "2001:db8:ffff::/48")
    } else {
        ("10.1.0.0/24", "10.99.0.0/24")
    };
    let port = port(number);
    match shape {
        Shape::Uniform => format!(
            "  - {{action: {action}, protocol: TCP, source: {{nets: ['{}']}}, destination: {{ports: [{port}]}}}}\n",
            network(number, v6)
        ),
        Shape::Friendly => {
            format!("  - {{action: {action}, protocol: TCP, destination: {{ports: [{port}]}}}}\n")
        }
        Shape::Adversarial if number.is_multiple_of(2) => format!(
            "  - {{action: {action}, protocol: TCP, source: {{nets: ['{own}']}}, destination: {{ports: [9]}}}}\n"
        ),
        Shape::Adversarial => format!(
            "  - {{action: {action}, protocol: TCP, source: {{nets: ['{other}']}}, destination: {{ports: [1000]}}}}\n"
        ),
    }
}

/// The endpoint, and no failsafes.
pub(crate) fn endpoint() -> String {
    format!(
        "apiVersion: projectcalico.org/v3\nkind: HostEndpoint\nmetadata: {{name: bench}}\n\
         spec: {{node: {NODE}, interfaceName: {INTERFACE}}}\n\
         ---\napiVersion: projectcalico.org/v3\nkind: FelixConfiguration\n\
         metadata: {{name: default}}\n\
         spec: {{failsafeInboundHostPorts: [], failsafeOutboundHostPorts: []}}\n"
    )
}

/// A set of `members` scattered addresses, and a policy that accepts TCP from it.
pub(crate) fn set_of(members: usize, v6: bool) -> String {
    let mut text = endpoint();
    text.push_str(
        "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n\
         metadata: {name: from-set}\nspec:\n  types: [Ingress]\n  ingress:\n\
         \x20 - {action: Deny, protocol: TCP, source: {selector: set == 'big'}}\n\
         ---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\n\
         metadata: {name: big, labels: {set: big}}\nspec:\n  nets:\n",
    );
    for number in 0..members {
        let _infallible = writeln!(text, "  - {}", member(number, v6));
    }
    text
}

/// The `text` of [`set_of`] with one more address, in the middle of the list.
pub(crate) fn with_newcomer(text: &str, number: usize, v6: bool) -> String {
    let middle = text.len() / 2;
    let line = text[middle..].find('\n').unwrap_or_default();
    let (before, after) = text.split_at(middle + line + 1);
    if v6 {
        format!("{before}  - 2001:db8:7fff:{number:x}::1\n{after}")
    } else {
        format!("{before}  - 100.77.{number}.1\n{after}")
    }
}

/// A policy of ten rules; the first one differs in each `version`.
pub(crate) fn ten_rules(number: usize, version: usize, v6: bool) -> String {
    let mut text = format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n\
         metadata: {{name: ten-{number}}}\nspec:\n  order: {number}\n  types: [Ingress]\n  ingress:\n"
    );
    let _infallible = writeln!(
        text,
        "  - {{action: Deny, protocol: TCP, source: {{selector: set == 'one'}}, destination: {{ports: [{}]}}}}",
        20_000 + version
    );
    for rule in 1..10 {
        text.push_str(&self::rule(Shape::Uniform, 10 * number + rule, v6, "Allow"));
    }
    text
}

/// A set of one address, another one in each `version`.
pub(crate) fn set_of_one(version: usize, v6: bool) -> String {
    let address = if v6 {
        format!("2001:db8:7fff::{version:x}")
    } else {
        format!("100.77.0.{version}")
    };
    format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\n\
         metadata: {{name: one, labels: {{set: one}}}}\nspec: {{nets: ['{address}']}}\n"
    )
}

/// A resource of one address that joins the set of [`set_of`]: a GlobalNetworkSet, or a HostEndpoint of
/// another host.
pub(crate) fn newcomer(is_endpoint: bool, v6: bool) -> String {
    let address = if v6 {
        "2001:db8:7fff::77"
    } else {
        "100.77.0.77"
    };
    let (kind, spec) = if is_endpoint {
        (
            "HostEndpoint",
            format!("node: other, expectedIPs: ['{address}']"),
        )
    } else {
        ("GlobalNetworkSet", format!("nets: ['{address}']"))
    };
    format!(
        "apiVersion: projectcalico.org/v3\nkind: {kind}\n\
         metadata: {{name: newcomer, labels: {{set: big}}}}\nspec: {{{spec}}}\n"
    )
}

/// Member `number` of [`set_of`]: a third are networks, the rest hosts.
pub(crate) fn member(number: usize, v6: bool) -> String {
    // An odd multiplier permutes the 32-bit numbers, so that no member repeats.
    let scattered = u32::try_from(number)
        .unwrap_or(u32::MAX)
        .wrapping_mul(0x9E37_79B1);
    let [a, b, c, d] = scattered.to_be_bytes();
    match (v6, number % 3) {
        (false, 0) => format!("{}.{b}.{c}.0/24", 1 + a % 223),
        (false, _) => format!("{}.{b}.{c}.{d}", 1 + a % 223),
        (true, 0) => format!("2001:db8:{a:x}{b:02x}:{c:x}{d:02x}::/64"),
        (true, _) => format!(
            "2001:db8:{a:x}{b:02x}:{c:x}{d:02x}::{:x}",
            number % 0xffff + 1
        ),
    }
}
