//! What a valid snapshot probably does not mean to say on this host.

use std::collections::BTreeSet;

use hep_common::Direction;

use super::{
    binding::{Binding, BindingReason, bind},
    labels::effective_labels,
    list_table::{LocalEndpoint, endpoints_of},
    lists::direction_name,
    named_ports,
    order::{TierPart, selects},
    sets::{Objects, SideSelector},
};
use crate::{
    model::{
        Action, EntityRule, HostEndpoint, Interface, InterfaceMatch, Metadata, Policy, PortMatch,
        Position, Rule, Snapshot,
    },
    validate::{Problem, Severity},
};

/// Everything worth a warning that needs more than one resource, or the host's interfaces.
#[must_use]
pub fn warnings(snapshot: &Snapshot, node: &str, interfaces: &[Interface]) -> Vec<Problem> {
    let binding = bind(snapshot, node, interfaces);
    let local = endpoints_of(snapshot, &binding);
    let mut problems = Vec::new();
    for endpoint in &local {
        problems.extend(unbound(&binding, endpoint.endpoint));
        problems.extend(default_deny(endpoint));
        problems.extend(one_way_untracked(endpoint));
    }
    problems.extend(members(&binding));
    problems.extend(
        snapshot
            .policies
            .iter()
            .filter_map(|policy| idle(snapshot, policy)),
    );
    problems.extend(rule_warnings(snapshot, &binding));
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    problems
}

fn warning(
    code: &'static str,
    kind: &str,
    metadata: &Metadata,
    field: &str,
    message: String,
    advice: &str,
) -> Problem {
    Problem {
        severity: Severity::Warning,
        code,
        position: metadata.position.clone(),
        kind: kind.to_owned(),
        name: metadata.name.to_string(),
        field: field.to_owned(),
        message,
        got: None,
        advice: advice.to_owned(),
    }
}

/// A local endpoint that owns no interface (EV-011, EV-012, EV-018).
fn unbound(binding: &Binding<'_>, endpoint: &HostEndpoint) -> Option<Problem> {
    if binding
        .bound
        .iter()
        .any(|bound| std::ptr::eq(bound.endpoint, endpoint))
    {
        return None;
    }
    let named = binding
        .reasons
        .iter()
        .find(|(interface, _)| match &endpoint.interface {
            InterfaceMatch::Named(name) => *name == interface.name,
            InterfaceMatch::ByAddress => interface
                .addresses
                .iter()
                .any(|address| endpoint.expected_ips.contains(address)),
            InterfaceMatch::All => false,
        });
    let message = match named {
        Some((interface, reason)) => {
            format!("owns no interface: {} is {reason}", interface.name)
        }
        None if endpoint.interface == InterfaceMatch::All => {
            "owns no interface: others own all, or another * HostEndpoint has a smaller name"
                .to_owned()
        }
        None => "matches no interface of this host".to_owned(),
    };
    let advice = "it takes effect when such an interface appears";
    let metadata = &endpoint.metadata;
    Some(warning(
        "W-UNBOUND",
        "HostEndpoint",
        metadata,
        "spec.interfaceName",
        message,
        advice,
    ))
}

/// A member of a bridge, bond or team that an endpoint names (EV-016).
fn members<'a>(binding: &'a Binding<'_>) -> impl Iterator<Item = Problem> + 'a {
    binding.reasons.iter().filter_map(|(interface, reason)| {
        let BindingReason::ByName(endpoint) = reason else {
            return None;
        };
        if !interface.is_member {
            return None;
        }
        let name = &interface.name;
        Some(warning(
            "W-MEMBER",
            "HostEndpoint",
            &endpoint.metadata,
            "spec.interfaceName",
            format!(
                "{name} is a member of a bridge, bond or team: its traffic counts as forwarded"
            ),
            "name the bridge, bond or team itself",
        ))
    })
}

/// A direction in which no policy applies and no profile allows, while one does in the other
/// (EV-049).
fn default_deny(local: &LocalEndpoint<'_>) -> Option<Problem> {
    if !local.endpoint.profiles.is_empty() {
        return None;
    }
    let [ingress, egress] = &local.tiers;
    let closed = match (ingress.normal.is_empty(), egress.normal.is_empty()) {
        (false, true) => Direction::Egress,
        (true, false) => Direction::Ingress,
        (true, true) | (false, false) => return None,
    };
    let closed = direction_name(closed);
    Some(warning(
        "W-DEFAULT-DENY",
        "HostEndpoint",
        &local.endpoint.metadata,
        "spec.profiles",
        format!("no policy applies to {closed} traffic and no profile allows it: it is dropped"),
        "add the profile projectcalico-default-allow, or a policy for that direction",
    ))
}

/// Untracked Allow in one direction only (EV-078, EV-175).
fn one_way_untracked(local: &LocalEndpoint<'_>) -> Option<Problem> {
    let allows = |direction: Direction| {
        let tiers = &local.tiers[direction as usize].untracked;
        policies(tiers).any(|policy| {
            let rules = match direction {
                Direction::Ingress => &policy.ingress,
                Direction::Egress => &policy.egress,
            };
            rules.iter().any(|rule| rule.action == Action::Allow)
        })
    };
    let (open, closed) = match (allows(Direction::Ingress), allows(Direction::Egress)) {
        (true, false) => (Direction::Ingress, Direction::Egress),
        (false, true) => (Direction::Egress, Direction::Ingress),
        (true, true) | (false, false) => return None,
    };
    let policy = policies(&local.tiers[open as usize].untracked).next()?;
    let (open, closed) = (direction_name(open), direction_name(closed));
    Some(warning(
        "W-UNTRACKED",
        policy.kind.name(),
        &policy.metadata,
        "spec.doNotTrack",
        format!(
            "{open} traffic of HostEndpoint {} is allowed untracked, its {closed} replies are not; \
             ICMP errors about it are dropped unless an untracked rule allows ICMP",
            local.endpoint.metadata.name
        ),
        "allow the replies in an untracked policy as well",
    ))
}

fn policies<'a>(tiers: &'a [TierPart<'_>]) -> impl Iterator<Item = &'a Policy> {
    tiers.iter().flat_map(|tier| tier.policies.iter().copied())
}

/// A policy that selects no HostEndpoint of any node.
fn idle(snapshot: &Snapshot, policy: &Policy) -> Option<Problem> {
    let selected = snapshot
        .endpoints
        .iter()
        .any(|endpoint| selects(policy, &effective_labels(endpoint, &snapshot.profiles)));
    (!selected && !policy.selects_no_host).then(|| {
        warning(
            "W-SELECTS-NOTHING",
            policy.kind.name(),
            &policy.metadata,
            "spec.selector",
            format!("{} selects no HostEndpoint", policy.selector.canonical()),
            "check it against the labels of the HostEndpoints and their profiles",
        )
    })
}

/// Selectors and named ports of rules that match nothing, or not what they seem to.
fn rule_warnings(snapshot: &Snapshot, binding: &Binding<'_>) -> Vec<Problem> {
    let mut objects = Objects::new(snapshot);
    let mut problems = Vec::new();
    let mut without_address = BTreeSet::new();
    for (kind, metadata, field, rule) in rules(snapshot) {
        for (side_name, side) in [("source", &rule.source), ("destination", &rule.destination)] {
            let mut warn = |code, name: &str, message: String, advice: &str| {
                let field = format!("{field}.{side_name}.{name}");
                let mut problem = warning(code, kind, metadata, &field, message, advice);
                if rule.position != Position::built_in() {
                    problem.position = rule.position.clone();
                }
                problems.push(problem);
            };
            let selector = match SideSelector::of(side) {
                SideSelector::Nothing => {
                    let message = "holds for nothing that a host knows: the rule never matches";
                    warn(
                        "W-NEVER",
                        "namespaceSelector",
                        message.to_owned(),
                        "remove the rule",
                    );
                    continue;
                }
                SideSelector::Within(selector) | SideSelector::Outside(selector) => Some(selector),
                SideSelector::None => None,
            };
            if let Some(selector) = selector {
                if objects.has_no_address(&selector) {
                    let message = format!("{} selects no address", selector.canonical());
                    let advice = "it matches GlobalNetworkSets, and HostEndpoints with expectedIPs";
                    warn("W-EMPTY-SET", "selector", message, advice);
                }
                without_address.extend(
                    objects
                        .endpoints(Some(&selector))
                        .iter()
                        .filter(|endpoint| endpoint.expected_ips.is_empty())
                        .map(|endpoint| endpoint.metadata.name.to_string()),
                );
            }
            for name in named(side) {
                let known: Vec<_> = snapshot
                    .endpoints
                    .iter()
                    .filter(|endpoint| endpoint.ports.iter().any(|port| *port.name == *name))
                    .collect();
                let protocol = rule.protocol.map(|protocol| protocol.number);
                let mut triples = named_ports::triples(known.iter().copied(), name, protocol);
                if triples.next().is_some() {
                    continue;
                }
                let message = if known.is_empty() {
                    format!("no HostEndpoint has a port named {name}")
                } else {
                    format!(
                        "port {name} is never matched: a named port stands for the expectedIPs of \
                         its HostEndpoint, with the rule's protocol"
                    )
                };
                let advice = "add expectedIPs to the HostEndpoint, or write the number";
                warn("W-NAMED-PORT", "ports", message, advice);
            }
        }
    }
    // RS-037.
    for endpoint in &binding.local {
        if without_address.contains(&*endpoint.metadata.name) {
            problems.push(warning(
                "W-NO-ADDRESS",
                "HostEndpoint",
                &endpoint.metadata,
                "spec.expectedIPs",
                "rule selectors select it, but it has no address for them to match".to_owned(),
                "list its addresses in expectedIPs",
            ));
        }
    }
    problems
}

fn named(side: &EntityRule) -> impl Iterator<Item = &str> {
    side.ports
        .iter()
        .chain(&side.not_ports)
        .filter_map(|port| match port {
            PortMatch::Named(name) => Some(&**name),
            PortMatch::Range(_) => None,
        })
}

/// Every rule with its owner's kind and metadata, and the path of its field.
fn rules(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Metadata, String, &Rule)> {
    let policies = snapshot.policies.iter().map(|policy| {
        (
            policy.kind.name(),
            &policy.metadata,
            &policy.ingress,
            &policy.egress,
        )
    });
    let profiles = snapshot.profiles.iter().map(|profile| {
        (
            "Profile",
            &profile.metadata,
            &profile.ingress,
            &profile.egress,
        )
    });
    policies
        .chain(profiles)
        .flat_map(|(kind, metadata, ingress, egress)| {
            [("ingress", ingress), ("egress", egress)]
                .into_iter()
                .flat_map(move |(direction, rules)| {
                    rules.iter().enumerate().map(move |(index, rule)| {
                        (kind, metadata, format!("spec.{direction}[{index}]"), rule)
                    })
                })
        })
}
