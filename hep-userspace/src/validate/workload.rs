//! Kinds of a store that no policy is in: workloads, which rules select, and nodes, whose labels select
//! configurations (DS-315, DS-317).

use std::sync::Arc;

use super::{
    Code, Node, Problem, collected::NodeLabels, elsewhere::selects_here, header::Header,
    object::Object, scalars::set_net,
};
use crate::model::{EntityRule, Nets, Rule, Snapshot, Workload};

/// Decodes a WorkloadEndpoint's `spec`: of its fields only addresses and profiles mean anything here.
pub(super) fn decode(header: Header<'_>, spec: Object<'_>) -> Option<Workload> {
    let nets = spec.read_or("ipNetworks", Nets::default(), |value| {
        value.items()?.map(|item| set_net(&item)).collect()
    });
    let profiles = spec.read_or("profiles", Vec::new(), |value| {
        value
            .items()?
            .map(|item| item.text().map(Arc::from))
            .collect()
    });
    Some(Workload {
        metadata: header.metadata,
        profiles: profiles?,
        nets: nets?,
    })
}

/// Decodes a Node: only its labels mean anything here.
#[expect(clippy::unnecessary_wraps, reason = "it is one of several decoders")]
pub(super) fn node(header: Header<'_>, _spec: Object<'_>) -> Option<NodeLabels> {
    Some(NodeLabels {
        metadata: header.metadata,
    })
}

/// Whether a rule in force on this node has a condition that workloads can meet, or that cannot be judged
/// without them.
pub(super) fn are_needed(snapshot: &Snapshot, node: &Node, problems: &[Problem]) -> bool {
    if problems
        .iter()
        .any(|problem| problem.code == Code::Unjudged)
    {
        return true;
    }
    let selects = selects_here(snapshot, &node.name);
    let local = snapshot.endpoints.iter();
    let mut local = local.filter(|endpoint| *endpoint.node == *node.name);
    let mut policies = snapshot.policies.iter().filter(|policy| selects(policy));
    let has_selector =
        |entity: &EntityRule| entity.selector.is_some() || entity.not_selector.is_some();
    let any = |rules: &[Rule]| {
        let mut sides = rules
            .iter()
            .flat_map(|rule| [&rule.source, &rule.destination]);
        sides.any(has_selector)
    };
    policies.any(|policy| any(&policy.ingress) || any(&policy.egress))
        || local.any(|endpoint| {
            let mut profiles = snapshot.profiles.iter();
            profiles.any(|profile| {
                let is_used = endpoint.profiles.contains(&profile.metadata.name);
                is_used && (any(&profile.ingress) || any(&profile.egress))
            })
        })
}
