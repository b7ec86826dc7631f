//! Warnings about HostEndpoints and what applies to them.

use super::{
    super::{Code, Problem, Severity, place::Place},
    facts::{DIRECTIONS, Facts, Object, place, warning},
};
use crate::model::{Action, HostEndpoint, Kind, PolicyKind, Position, Rule, Stage};
use hep_common::Direction;

/// Metrics at every address, Calico's default: rules, policies and interfaces are then visible to
/// everyone who can reach the port.
pub(super) fn metrics_for_all(facts: &Facts<'_>) -> Option<Problem> {
    let (host, port) = facts.snapshot.felix.metrics.as_ref()?;
    if !host.is_empty() {
        return None;
    }
    let place = Place {
        position: Position::built_in(),
        kind: Kind::FelixConfiguration.name().to_owned(),
        name: String::new(),
        field: "spec.prometheusMetricsHost".to_owned(),
    };
    let message = format!("is not set: metrics are served at port {port} of every address, to all");
    let advice = "write prometheusMetricsHost: localhost, or the address that is scraped";
    Some(warning(&place, Code::OpenMetrics, message, advice))
}

/// Endpoints of other hosts only: probably a name that is written differently.
pub(super) fn none_here(facts: &Facts<'_>) -> Option<Problem> {
    let first = facts.snapshot.endpoints.first()?;
    if facts.local().next().is_some() {
        return None;
    }
    let message = format!(
        "no HostEndpoint is for this host, {}, so nothing is enforced here; this one is for {}",
        facts.node, first.node
    );
    let place = place(&first.metadata, Kind::HostEndpoint, "spec.node");
    let advice = "write the host's name, or start hep with --node";
    Some(warning(&place, Code::NoEndpointHere, message, advice))
}

/// Policies that select no endpoint.
pub(super) fn unselected(facts: &Facts<'_>) -> Vec<Problem> {
    let policies = facts.snapshot.policies.iter();
    policies
        .filter(|policy| !facts.selects_endpoint(&policy.selector))
        .map(|policy| {
            place(&policy.metadata, policy.kind.kind(), "spec.selector").problem(
                Severity::Notice,
                Code::Unselected,
                format!("{} selects no HostEndpoint", policy.selector),
                "check the labels of the HostEndpoints",
            )
        })
        .collect()
}

/// RS-037.
pub(super) fn without_addresses(facts: &Facts<'_>) -> Vec<Problem> {
    let bare = facts.local().filter(|(object, _)| !object.has_addresses);
    bare.filter_map(|(object, endpoint)| {
        let uses = facts.uses.values();
        let user = uses
            .filter(|used| object.is_selected(&used.selector))
            .map(|used| &used.place)
            .min_by_key(|place| (&place.position, &place.field))?;
        let message = format!(
            "has no expectedIPs, so {} of {} {} does not match its addresses",
            user.field, user.kind, user.name
        );
        let place = place(&endpoint.metadata, Kind::HostEndpoint, "spec.expectedIPs");
        let advice = "add the endpoint's addresses";
        Some(warning(&place, Code::NoAddress, message, advice))
    })
    .collect()
}

/// EV-048, EV-049: a direction of a local endpoint in which no policy applies and no profile
/// allows anything.
pub(super) fn closed(facts: &Facts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (object, endpoint) in facts.local() {
        let is_closed = |direction: &Direction| is_closed(facts, (object, endpoint), *direction);
        let closed: Vec<&str> = DIRECTIONS
            .into_iter()
            .filter(is_closed)
            .map(Direction::name)
            .collect();
        if closed.is_empty() {
            continue;
        }
        let message = format!(
            "no policy applies to {} traffic and no profile allows any: only failsafes and replies pass",
            closed.join(" and ")
        );
        let place = place(&endpoint.metadata, Kind::HostEndpoint, "spec.profiles");
        let advice = "write a policy that allows the traffic you need";
        problems.push(warning(&place, Code::Closed, message, advice));
    }
    problems
}

fn is_closed(
    facts: &Facts<'_>,
    (object, endpoint): (&Object<'_>, &HostEndpoint),
    direction: Direction,
) -> bool {
    let mut policies = facts.snapshot.policies.iter();
    let mut profiles = facts.snapshot.profiles.iter();
    let is_open = policies.any(|policy| {
        policy.applies(direction)
            && policy.kind == PolicyKind::Enforced
            && matches!(policy.stage, Stage::Normal { .. })
            && object.is_selected(&policy.selector)
    });
    let allows = |rules: &[Rule]| rules.iter().any(|it| it.action == Action::Allow);
    !is_open
        && !profiles.any(|profile| {
            endpoint.profiles.contains(&profile.metadata.name) && allows(profile.rules(direction))
        })
}
