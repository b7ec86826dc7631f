//! Warnings about a valid snapshot that is complete: likely mistakes, whatever interfaces the host has.

use std::collections::{BTreeMap, HashMap};

use super::{Code, Problem, Severity, place::Place};
use crate::{
    model::{
        Action, EntityRule, HostEndpoint, Metadata, Policy, PolicyKind, PortMatch, Position,
        Profile, Rule, Snapshot, Stage,
    },
    selector::Selector,
};

/// Likely mistakes in a snapshot that is complete, with the endpoints that the daemon makes, on the host
/// `node`.
#[must_use]
pub fn advice(snapshot: &Snapshot, node: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut advisor = Advisor {
        objects: objects(snapshot),
        node,
        snapshot,
        matches: HashMap::new(),
        problems: &mut problems,
    };
    advisor.no_endpoint_here();
    for policy in &snapshot.policies {
        advisor.policy(policy);
    }
    for profile in &snapshot.profiles {
        let place = place(&profile.metadata, "Profile", "");
        advisor.rules(&place, "ingress", &profile.ingress);
        advisor.rules(&place, "egress", &profile.egress);
    }
    advisor.endpoints_without_addresses();
    advisor.closed_endpoints();
    advisor.one_way_untracked();
    advisor.metrics_for_all();
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    problems
}

/// Something that rule selectors look at: an endpoint or a set.
struct Object<'s> {
    labels: BTreeMap<&'s str, &'s str>,
    has_addresses: bool,
    endpoint: Option<&'s HostEndpoint>,
}

/// Whether a rule selector matches any object, and any address.
#[derive(Clone, Copy, Debug, Default)]
struct Match {
    any: bool,
    any_address: bool,
}

struct Advisor<'s, 'p> {
    snapshot: &'s Snapshot,
    node: &'s str,
    objects: Vec<Object<'s>>,
    /// By canonical text: what a selector matches, and the first rule that uses it.
    matches: HashMap<String, (Selector, Match, Place)>,
    problems: &'p mut Vec<Problem>,
}

fn objects(snapshot: &Snapshot) -> Vec<Object<'_>> {
    let endpoints = snapshot.endpoints.iter().map(|endpoint| Object {
        labels: labels(endpoint, snapshot),
        has_addresses: !endpoint.expected_ips.is_empty(),
        endpoint: Some(endpoint),
    });
    let sets = snapshot.sets.iter().map(|set| Object {
        labels: borrowed(&set.metadata.labels).collect(),
        has_addresses: !set.nets.is_empty(),
        endpoint: None,
    });
    endpoints.chain(sets).collect()
}

fn borrowed(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

/// An endpoint's own labels, and those that it inherits: the first profile that has a key wins
/// (SL-043).
pub(super) fn labels<'s>(
    endpoint: &'s HostEndpoint,
    snapshot: &'s Snapshot,
) -> BTreeMap<&'s str, &'s str> {
    let mut labels: BTreeMap<&str, &str> = borrowed(&endpoint.metadata.labels).collect();
    for name in &endpoint.profiles {
        let profiles = &snapshot.profiles;
        let found = profiles.binary_search_by(|profile| profile.metadata.name.cmp(name));
        if let Some(profile) = found.ok().and_then(|index| profiles.get(index)) {
            for (key, value) in borrowed(&profile.labels_to_apply) {
                labels.entry(key).or_insert(value);
            }
        }
    }
    labels
}

fn place(metadata: &Metadata, kind: &str, field: &str) -> Place {
    Place {
        position: metadata.position.clone(),
        kind: kind.to_owned(),
        name: metadata.name.to_string(),
        field: field.to_owned(),
    }
}

impl<'s> Advisor<'s, '_> {
    fn warn(&mut self, place: &Place, code: Code, message: String, advice: &str) {
        self.problems
            .push(place.problem(Severity::Warning, code, message, advice));
    }

    fn selects(&self, selector: &Selector, object: &Object<'s>) -> bool {
        selector.matches_with(|key| object.labels.get(key).copied())
    }

    fn is_local(&self, endpoint: &HostEndpoint) -> bool {
        *endpoint.node == *self.node
    }

    /// Metrics at every address, Calico's default: rules, policies and interfaces are then visible to
    /// everyone who can reach the port.
    fn metrics_for_all(&mut self) {
        let Some(("", port)) =
            (self.snapshot.felix.metrics.as_ref()).map(|(host, port)| (host.as_str(), port))
        else {
            return;
        };
        let place = Place {
            position: Position::built_in(),
            kind: "FelixConfiguration".to_owned(),
            name: String::new(),
            field: "spec.prometheusMetricsHost".to_owned(),
        };
        let message =
            format!("is not set: metrics are served at port {port} of every address, to all");
        let advice = "write prometheusMetricsHost: localhost, or the address that is scraped";
        self.warn(&place, Code::OpenMetrics, message, advice);
    }

    /// Endpoints of other hosts only: probably a name that is written differently.
    fn no_endpoint_here(&mut self) {
        let endpoints = &self.snapshot.endpoints;
        if endpoints.iter().any(|endpoint| self.is_local(endpoint)) {
            return;
        }
        let Some(first) = endpoints.first() else {
            return;
        };
        let message = format!(
            "no HostEndpoint is for this host, {}, so nothing is enforced here; this one is for {}",
            self.node, first.node
        );
        let place = place(&first.metadata, "HostEndpoint", "spec.node");
        self.warn(
            &place,
            Code::NoEndpointHere,
            message,
            "write the host's name, or start hep with --node",
        );
    }

    fn policy(&mut self, policy: &'s Policy) {
        let place = |field: &str| place(&policy.metadata, policy.kind.name(), field);
        let is_selected = (self.objects.iter())
            .filter(|object| object.endpoint.is_some())
            .any(|object| self.selects(&policy.selector, object));
        if !is_selected {
            let problem = place("spec.selector").problem(
                Severity::Notice,
                Code::Unselected,
                format!("{} selects no HostEndpoint", policy.selector),
                "check the labels of the HostEndpoints",
            );
            self.problems.push(problem);
            return;
        }
        self.rules(&place(""), "ingress", &policy.ingress);
        self.rules(&place(""), "egress", &policy.egress);
    }

    fn rules(&mut self, owner: &Place, direction: &str, rules: &'s [Rule]) {
        for (index, rule) in rules.iter().enumerate() {
            for (name, side) in [("source", &rule.source), ("destination", &rule.destination)] {
                let at = |field: &str| Place {
                    position: rule.position.clone(),
                    field: format!("spec.{direction}[{index}].{name}.{field}"),
                    ..owner.clone()
                };
                self.side_selector(side, &at);
                for (field, ports) in [("ports", &side.ports), ("notPorts", &side.not_ports)] {
                    for port in ports {
                        if let PortMatch::Named(port) = port {
                            self.named_port(port, rule, &at(field));
                        }
                    }
                }
            }
        }
    }

    /// SL-056: a selector whose objects have no addresses.
    fn side_selector(&mut self, side: &EntityRule, at: &impl Fn(&str) -> Place) {
        let (effective, field) = match (&side.selector, &side.not_selector) {
            (Some(selector), Some(excluded)) => (selector.except(excluded), "selector"),
            (Some(selector), None) => ((**selector).clone(), "selector"),
            (None, Some(excluded)) => ((**excluded).clone(), "notSelector"),
            (None, None) => return,
        };
        let found = self.find(&effective, &at(field));
        let outcome = match field {
            "selector" => "so the rule never matches",
            _ => "so it excludes nothing",
        };
        let message = match found {
            Match { any: false, .. } => {
                format!("{effective} matches no HostEndpoint and no GlobalNetworkSet, {outcome}")
            }
            Match {
                any_address: false, ..
            } => {
                format!("the objects that {effective} matches have no addresses, {outcome}")
            }
            Match { .. } => return,
        };
        let advice = "check the labels, the expectedIPs of endpoints and the nets of sets";
        self.warn(&at(field), Code::EmptySelector, message, advice);
    }

    fn find(&mut self, selector: &Selector, place: &Place) -> Match {
        if let Some((_, found, _)) = self.matches.get(selector.canonical()) {
            return *found;
        }
        let mut found = Match::default();
        for object in self
            .objects
            .iter()
            .filter(|object| self.selects(selector, object))
        {
            found.any = true;
            found.any_address |= object.has_addresses;
        }
        let canonical = selector.canonical().to_owned();
        self.matches
            .insert(canonical, (selector.clone(), found, place.clone()));
        found
    }

    /// EV-129, EV-131, EV-132.
    fn named_port(&mut self, name: &str, rule: &Rule, place: &Place) {
        let with = |is_meant: &dyn Fn(&HostEndpoint, u8) -> bool| {
            self.snapshot.endpoints.iter().find(|endpoint| {
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
        let lacking = bare(&|endpoint| self.is_local(endpoint)).or_else(|| {
            let is_found = |endpoint: &HostEndpoint, number| {
                is_protocol(number) && !endpoint.expected_ips.is_empty()
            };
            with(&is_found).map_or_else(|| bare(&|_| true), |_| None)
        });
        let (message, advice) = if with(&|_, _| true).is_none() {
            (
                format!("no HostEndpoint has a port named {name}, so it matches nothing"),
                "add it to spec.ports of a HostEndpoint",
            )
        } else if with(&|_, number| is_protocol(number)).is_none() {
            (
                format!("port {name} never matches: HostEndpoints have it for another protocol"),
                "write the protocol that spec.ports of the HostEndpoint has",
            )
        } else if let Some(bare) = lacking {
            (
                format!(
                    "port {name} of HostEndpoint {} never matches, since a named port applies to \
                     the endpoint's expectedIPs and it has none",
                    bare.metadata.name
                ),
                "add expectedIPs to the HostEndpoint",
            )
        } else {
            return;
        };
        self.warn(place, Code::NamedPort, message, advice);
    }

    /// RS-037.
    fn endpoints_without_addresses(&mut self) {
        let mut found = Vec::new();
        for object in &self.objects {
            let Some(endpoint) = object.endpoint else {
                continue;
            };
            if object.has_addresses || !self.is_local(endpoint) {
                continue;
            }
            let uses = self.matches.values();
            let user = uses
                .filter(|(selector, ..)| self.selects(selector, object))
                .map(|(_, _, place)| place)
                .min_by_key(|place| (&place.position, &place.field));
            if let Some(user) = user {
                let message = format!(
                    "has no expectedIPs, so {} of {} {} does not match its addresses",
                    user.field, user.kind, user.name
                );
                found.push((
                    place(&endpoint.metadata, "HostEndpoint", "spec.expectedIPs"),
                    message,
                ));
            }
        }
        for (place, message) in found {
            self.warn(
                &place,
                Code::NoAddress,
                message,
                "add the endpoint's addresses",
            );
        }
    }

    /// EV-048, EV-049: a direction of a local endpoint in which no policy applies and no profile
    /// allows anything.
    fn closed_endpoints(&mut self) {
        let mut found = Vec::new();
        for object in &self.objects {
            let Some(endpoint) = object.endpoint.filter(|endpoint| self.is_local(endpoint)) else {
                continue;
            };
            let closed: Vec<&str> = [("ingress", true), ("egress", false)]
                .into_iter()
                .filter(|(_, ingress)| self.is_closed(object, endpoint, *ingress))
                .map(|(direction, _)| direction)
                .collect();
            if !closed.is_empty() {
                let place = place(&endpoint.metadata, "HostEndpoint", "spec.profiles");
                let message = format!(
                    "no policy applies to {} traffic and no profile allows any: only failsafes and \
                     replies pass",
                    closed.join(" and ")
                );
                found.push((place, message));
            }
        }
        for (place, message) in found {
            self.warn(
                &place,
                Code::Closed,
                message,
                "write a policy that allows the traffic you need",
            );
        }
    }

    fn is_closed(&self, object: &Object<'s>, endpoint: &HostEndpoint, ingress: bool) -> bool {
        let applies = |policy: &Policy| {
            let applies = if ingress {
                policy.applies_ingress
            } else {
                policy.applies_egress
            };
            applies
                && policy.kind == PolicyKind::Enforced
                && matches!(policy.stage, Stage::Normal { .. })
                && self.selects(&policy.selector, object)
        };
        let allows = |profile: &Profile| {
            let rules = if ingress {
                &profile.ingress
            } else {
                &profile.egress
            };
            endpoint.profiles.contains(&profile.metadata.name)
                && rules.iter().any(|rule| rule.action == Action::Allow)
        };
        !self.snapshot.policies.iter().any(|it| applies(it))
            && !self.snapshot.profiles.iter().any(|it| allows(it))
    }

    /// EV-078, EV-175: an untracked Allow needs its counterpart in the other direction.
    fn one_way_untracked(&mut self) {
        let snapshot = self.snapshot;
        let untracked = || {
            snapshot
                .policies
                .iter()
                .filter(|policy| policy.stage == Stage::Untracked)
        };
        for policy in untracked() {
            for (direction, rules, opposite) in [
                ("ingress", &policy.ingress, "egress"),
                ("egress", &policy.egress, "ingress"),
            ] {
                let allows = rules
                    .iter()
                    .enumerate()
                    .filter(|(_, rule)| rule.action == Action::Allow);
                for (index, rule) in allows {
                    let lacking = self.objects.iter().find(|object| {
                        object
                            .endpoint
                            .is_some_and(|endpoint| self.is_local(endpoint))
                            && self.selects(&policy.selector, object)
                            && !untracked().any(|other| {
                                self.selects(&other.selector, object)
                                    && allows_back(other, opposite, rule)
                            })
                    });
                    let Some(endpoint) = lacking.and_then(|object| object.endpoint) else {
                        continue;
                    };
                    let message = format!(
                        "allows packets untracked, but no untracked {opposite} rule allows the other \
                         direction at HostEndpoint {}, where they find no connection (ICMP errors \
                         included)",
                        endpoint.metadata.name
                    );
                    let mut place = place(&policy.metadata, policy.kind.name(), "");
                    place.position = rule.position.clone();
                    place.field = format!("spec.{direction}[{index}]");
                    let advice =
                        format!("add an {opposite} rule for the answers to a doNotTrack policy");
                    self.warn(&place, Code::OneWay, message, &advice);
                }
            }
        }
    }
}

/// Whether a policy has an Allow in this direction that may be about the same protocol as `rule`.
fn allows_back(policy: &Policy, direction: &str, rule: &Rule) -> bool {
    let (rules, applies) = match direction {
        "ingress" => (&policy.ingress, policy.applies_ingress),
        _ => (&policy.egress, policy.applies_egress),
    };
    let same = |other: &Rule| match (rule.protocol, other.protocol) {
        (Some(one), Some(other)) => one.number == other.number,
        _ => true,
    };
    let allows = |other: &Rule| other.action == Action::Allow && same(other);
    applies && rules.iter().any(allows)
}
