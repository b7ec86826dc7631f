//! Description of an endpoint, in words.

use std::{collections::BTreeMap, sync::Arc};

use hep_common::Direction;

use super::shape::{DirectionDescription, EndpointDescription};
use crate::{
    compile::lists::order::{DirectionTiers, TierPart},
    model::{
        Action, DefaultAction, EntityRule, HostEndpoint, InterfaceMatch, PolicyKind, Profile, Rule,
    },
};

/// Describes a local endpoint; `tiers` are those of ingress, then egress.
pub(crate) fn describe(
    endpoint: &HostEndpoint,
    labels: BTreeMap<String, String>,
    interfaces: Vec<String>,
    tiers: &[DirectionTiers<'_>; 2],
    profiles: &[Arc<Profile>],
) -> EndpointDescription {
    let direction = |direction: Direction| {
        let tiers = &tiers[direction as usize];
        DirectionDescription {
            policies: policies(tiers),
            unmatched: unmatched(endpoint, tiers, direction, profiles),
            unmatched_forwarded: denied(&tiers.forward).unwrap_or_else(|| "allowed".to_owned()),
        }
    };
    EndpointDescription {
        name: endpoint.metadata.name.to_string(),
        interface_name: match &endpoint.interface {
            InterfaceMatch::ByAddress => String::new(),
            InterfaceMatch::All => "*".to_owned(),
            InterfaceMatch::Named(name) => name.to_string(),
        },
        expected_ips: endpoint.expected_ips.iter().copied().collect(),
        profiles: endpoint.profiles.iter().map(ToString::to_string).collect(),
        labels,
        generated: endpoint.generated,
        file: endpoint.metadata.position.origin.to_string(),
        line: endpoint.metadata.position.line,
        interfaces,
        ingress: direction(Direction::Ingress),
        egress: direction(Direction::Egress),
    }
}

/// `tier/policy` of what applies, in order of evaluation, each once.
fn policies(tiers: &DirectionTiers<'_>) -> Vec<String> {
    let mut names = Vec::new();
    // Forward policies are normal ones as well.
    for tier in [&tiers.untracked, &tiers.pre_dnat, &tiers.normal]
        .into_iter()
        .flatten()
    {
        for policy in &tier.policies {
            let staged = match policy.kind {
                PolicyKind::Enforced => "",
                PolicyKind::Staged(_) => "staged:",
            };
            names.push(format!("{staged}{}/{}", tier.name, policy.metadata.name));
        }
    }
    names
}

/// The first tier that denies what it did not decide.
fn denied(tiers: &[TierPart<'_>]) -> Option<String> {
    tiers
        .iter()
        .find(|tier| tier.end == Some(DefaultAction::Deny))
        .map(|tier| format!("denied by tier {}", tier.name))
}

/// EV-049.
fn unmatched(
    endpoint: &HostEndpoint,
    tiers: &DirectionTiers<'_>,
    direction: Direction,
    profiles: &[Arc<Profile>],
) -> String {
    if let Some(denied) = denied(&tiers.normal) {
        return denied;
    }
    if endpoint.profiles.is_empty() {
        return "denied, no profile".to_owned();
    }
    for name in &endpoint.profiles {
        let Some(profile) = profiles
            .iter()
            .find(|profile| profile.metadata.name == *name)
        else {
            return format!("denied, profile {name} is missing");
        };
        let rules = match direction {
            Direction::Ingress => &profile.ingress,
            Direction::Egress => &profile.egress,
        };
        let deciding = rules
            .iter()
            .find(|rule| rule.action != Action::Log && matches_everything(rule));
        match deciding.map(|rule| rule.action) {
            Some(Action::Allow) => return format!("allowed by profile {name}"),
            Some(Action::Deny) => return format!("denied by profile {name}"),
            Some(Action::Pass | Action::Log) | None => {}
        }
    }
    "denied, no profile allows it".to_owned()
}

fn matches_everything(rule: &Rule) -> bool {
    let open = EntityRule::default();
    rule.ip_version.is_none()
        && rule.protocol.is_none()
        && rule.not_protocol.is_none()
        && rule.source == open
        && rule.destination == open
}
