//! The policy of `hep panic`: only failsafes and established flows pass.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    model::{
        DEFAULT_TIER, DefaultAction, EndpointToHostAction, HostEndpoint, InterfaceMatch, Metadata,
        Policy, PolicyKind, Position, Snapshot, Stage, Tier,
    },
    selector::Selector,
};

/// Name of the policy that denies everything, and of the endpoint for interfaces that no other
/// endpoint owns.
const NAME: &str = "hep-panic";

/// Replaces all policies by one that denies everything, forwarded packets included. Endpoints and
/// failsafes stay; interfaces that no endpoint of `node` owns get one. Compile the result so that
/// flows are kept, not judged again.
#[must_use]
pub fn restrict(mut snapshot: Snapshot, node: &str) -> Snapshot {
    let metadata = |name: &str| Metadata {
        name: Arc::from(name),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        position: Position::built_in(),
    };
    let is_here = |endpoint: &HostEndpoint| &*endpoint.node == node;
    for endpoint in snapshot.endpoints.iter_mut().filter(|it| is_here(it)) {
        Arc::make_mut(endpoint).profiles.clear();
    }
    let is_wildcard = |endpoint: &HostEndpoint| endpoint.interface == InterfaceMatch::All;
    if !snapshot
        .endpoints
        .iter()
        .any(|endpoint| is_here(endpoint) && is_wildcard(endpoint))
    {
        snapshot.endpoints.push(Arc::new(HostEndpoint {
            metadata: metadata(NAME),
            node: Arc::from(node),
            interface: InterfaceMatch::All,
            expected_ips: Default::default(),
            profiles: Vec::new(),
            ports: Vec::new(),
            generated: true,
            closed: false,
        }));
        let endpoints = &mut snapshot.endpoints;
        endpoints.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    }
    snapshot.felix.wildcard_patterns.clear();
    snapshot.felix.endpoint_to_host = EndpointToHostAction::Drop;
    snapshot.sets.clear();
    snapshot.tiers = vec![Arc::new(Tier {
        metadata: metadata(DEFAULT_TIER),
        order: 0.0,
        default_action: DefaultAction::Deny,
    })];
    snapshot.policies = vec![Arc::new(Policy {
        kind: PolicyKind::Enforced,
        metadata: metadata(NAME),
        tier: Arc::from(DEFAULT_TIER),
        order: None,
        selector: Arc::new(Selector::all()),
        applies_ingress: true,
        applies_egress: true,
        ingress: Arc::default(),
        egress: Arc::default(),
        stage: Stage::Normal {
            apply_on_forward: true,
        },
    })];
    snapshot
}
