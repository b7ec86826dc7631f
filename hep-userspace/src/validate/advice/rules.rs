//! Warnings about rules: selectors, named ports, and untracked rules without a counterpart.

use hep_common::Direction;

use super::{
    super::{Code, Problem},
    facts::{DIRECTIONS, Facts, Object, Side, effective, place, warning},
};
use crate::model::{Action, HostEndpoint, Policy, PortMatch, Rule, Stage};

/// SL-056: a selector whose objects have no addresses.
pub(super) fn empty_selector(facts: &Facts<'_>, side: &Side<'_>) -> Option<Problem> {
    let (selector, field) = effective(side.entity)?;
    let used = facts.uses.get(selector.canonical())?;
    let outcome = match field {
        "selector" => "so the rule never matches",
        _ => "so it excludes nothing",
    };
    let message = match (used.has_objects, used.has_addresses) {
        (false, _) => {
            format!("{selector} matches no HostEndpoint and no GlobalNetworkSet, {outcome}")
        }
        (true, false) => {
            format!("the objects that {selector} matches have no addresses, {outcome}")
        }
        (true, true) => return None,
    };
    let advice = "check the labels, the expectedIPs of endpoints and the nets of sets";
    Some(warning(
        &side.place(field),
        Code::EmptySelector,
        message,
        advice,
    ))
}

/// Named ports that never match.
pub(super) fn named_ports(facts: &Facts<'_>, side: &Side<'_>) -> Vec<Problem> {
    let fields = [
        ("ports", &side.entity.ports),
        ("notPorts", &side.entity.not_ports),
    ];
    let mut problems = Vec::new();
    for (field, ports) in fields {
        for port in ports {
            if let PortMatch::Named(name) = port
                && let Some((message, advice)) = named_port(facts, name, side.rule)
            {
                problems.push(warning(
                    &side.place(field),
                    Code::NamedPort,
                    message,
                    advice,
                ));
            }
        }
    }
    problems
}

/// Why a named port of a rule never matches, and what to write (EV-129, EV-131, EV-132).
fn named_port(facts: &Facts<'_>, name: &str, rule: &Rule) -> Option<(String, &'static str)> {
    let with = |is_meant: &dyn Fn(&HostEndpoint, u8) -> bool| {
        facts.snapshot.endpoints.iter().find(|endpoint| {
            let mut ports = endpoint.ports.iter().filter(|port| &*port.name == name);
            ports.any(|port| is_meant(endpoint, port.protocol.number))
        })
    };
    let is_protocol = |number: u8| {
        let given = rule.protocol.map(|protocol| protocol.number);
        given.is_none_or(|given| given == number)
    };
    let bare = |is_meant: &dyn Fn(&HostEndpoint) -> bool| {
        with(&|endpoint, number| {
            is_protocol(number) && endpoint.expected_ips.is_empty() && is_meant(endpoint)
        })
    };
    if with(&|_, _| true).is_none() {
        return Some((
            format!("no HostEndpoint has a port named {name}, so it matches nothing"),
            "add it to spec.ports of a HostEndpoint",
        ));
    }
    if with(&|_, number| is_protocol(number)).is_none() {
        return Some((
            format!("port {name} never matches: HostEndpoints have it for another protocol"),
            "write the protocol that spec.ports of the HostEndpoint has",
        ));
    }
    let lacking = bare(&|endpoint| facts.is_local(endpoint)).or_else(|| {
        let is_found = |endpoint: &HostEndpoint, number| {
            is_protocol(number) && !endpoint.expected_ips.is_empty()
        };
        with(&is_found).map_or_else(|| bare(&|_| true), |_| None)
    })?;
    Some((
        format!(
            "port {name} of HostEndpoint {} never matches, since a named port applies to the \
             endpoint's expectedIPs and it has none",
            lacking.metadata.name
        ),
        "add expectedIPs to the HostEndpoint",
    ))
}

/// EV-078, EV-175: an untracked Allow needs its counterpart in the other direction.
pub(super) fn one_way_untracked(facts: &Facts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for policy in untracked(facts) {
        for direction in DIRECTIONS {
            let rules = policy.rules(direction).iter().enumerate();
            for (index, rule) in rules.filter(|(_, rule)| rule.action == Action::Allow) {
                let place = place(&policy.metadata, policy.kind.kind(), "");
                if let Some(endpoint) = lacking(facts, policy, (direction, rule)) {
                    let mut place = place;
                    place.position = rule.position.clone();
                    place.field = format!("spec.{}[{index}]", direction.name());
                    let opposite = direction.opposite().name();
                    let message = format!(
                        "allows packets untracked, but no untracked {opposite} rule allows the other \
                         direction at HostEndpoint {}, where they find no connection (ICMP errors \
                         included)",
                        endpoint.metadata.name
                    );
                    let advice =
                        format!("add an {opposite} rule for the answers to a doNotTrack policy");
                    problems.push(warning(&place, Code::OneWay, message, &advice));
                }
            }
        }
    }
    problems
}

/// The untracked policies.
fn untracked<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f Policy> {
    let policies = facts.snapshot.policies.iter().map(|policy| &**policy);
    policies.filter(|policy| policy.stage == Stage::Untracked)
}

/// An endpoint of this host that the policy selects, and at which nothing allows the answers to packets that
/// the rule allows.
fn lacking<'s>(
    facts: &Facts<'s>,
    policy: &Policy,
    (direction, rule): (Direction, &Rule),
) -> Option<&'s HostEndpoint> {
    let answers = |object: &Object<'_>| {
        untracked(facts).any(|other| {
            object.is_selected(&other.selector) && allows(other, direction.opposite(), rule)
        })
    };
    let mut selected = facts
        .local()
        .filter(|(it, _)| it.is_selected(&policy.selector));
    selected
        .find(|(object, _)| !answers(object))
        .map(|(_, endpoint)| endpoint)
}

/// Whether a policy has an Allow in this direction that may be about the same protocol as `rule`.
fn allows(policy: &Policy, direction: Direction, rule: &Rule) -> bool {
    let same = |other: &Rule| match (rule.protocol, other.protocol) {
        (Some(one), Some(other)) => one.number == other.number,
        _ => true,
    };
    let allows = |other: &Rule| other.action == Action::Allow && same(other);
    policy.applies(direction) && policy.rules(direction).iter().any(allows)
}
