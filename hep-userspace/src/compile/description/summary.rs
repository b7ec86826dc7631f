//! The parts of a description that need no compiling.

use super::{
    endpoints,
    shape::{EndpointDescription, FailsafeDescription, InterfaceDescription},
};
use crate::{
    compile::{interfaces::binding::Binding, lists::table::LocalEndpoint},
    model::{FailsafePort, PolicyKind, Snapshot},
};

/// Local endpoints by number.
pub(crate) fn endpoint_descriptions(
    snapshot: &Snapshot,
    binding: &Binding<'_>,
    local: &[LocalEndpoint<'_>],
) -> Vec<EndpointDescription> {
    local
        .iter()
        .map(|local| {
            let owned = binding
                .bound
                .iter()
                .filter(|bound| !bound.workload && std::ptr::eq(bound.endpoint, local.endpoint));
            endpoints::describe(
                local.endpoint,
                local.labels.clone(),
                owned
                    .map(|bound| bound.interface.name.to_string())
                    .collect(),
                &local.tiers,
                &snapshot.profiles,
            )
        })
        .collect()
}

/// Interfaces that have programs; `counters` are their counters' indices.
pub(crate) fn interface_descriptions(
    binding: &Binding<'_>,
    counters: impl Iterator<Item = u32>,
) -> Vec<InterfaceDescription> {
    binding
        .bound
        .iter()
        .zip(counters)
        .map(|(bound, counters)| InterfaceDescription {
            name: bound.interface.name.to_string(),
            ifindex: bound.interface.ifindex,
            endpoint: bound.endpoint.metadata.name.to_string(),
            workload: bound.workload,
            counters,
        })
        .collect()
}

/// Failsafe ports in words.
pub(crate) fn failsafes(ports: &[FailsafePort]) -> Vec<FailsafeDescription> {
    ports
        .iter()
        .map(|port| FailsafeDescription {
            protocol: port.protocol.to_string(),
            port: port.port,
            net: port.net.map_or_else(String::new, |net| net.to_string()),
        })
        .collect()
}

/// Resources by kind.
pub(crate) fn resources(snapshot: &Snapshot) -> Vec<(String, usize)> {
    let (enforced, staged): (Vec<_>, Vec<_>) = snapshot
        .policies
        .iter()
        .partition(|policy| policy.kind == PolicyKind::Enforced);
    [
        ("HostEndpoint", snapshot.endpoints.len()),
        ("Profile", snapshot.profiles.len()),
        ("GlobalNetworkPolicy", enforced.len()),
        ("StagedGlobalNetworkPolicy", staged.len()),
        ("Tier", snapshot.tiers.len()),
        ("GlobalNetworkSet", snapshot.sets.len()),
    ]
    .map(|(kind, count)| (kind.to_owned(), count))
    .into()
}
