//! Which HostEndpoint owns an interface (section 2 of the specification).

use std::net::IpAddr;

use crate::model::{FelixConfiguration, HostEndpoint, Interface, InterfaceMatch, Snapshot};

/// How policy applies to an interface.
#[derive(Clone, Copy, Debug)]
pub enum Role<'a> {
    /// No endpoint owns it (EV-004).
    Unpoliced,
    /// A HostEndpoint owns it.
    Endpoint(&'a HostEndpoint),
    /// It is a workload's, and this `*` endpoint guards the host from it (EV-103).
    Workload(&'a HostEndpoint),
}

/// The role of `interface` on the host `node`.
pub(super) fn role<'a>(snapshot: &'a Snapshot, node: &str, interface: &Interface) -> Role<'a> {
    // EV-007; EV-011: of several that match, the smallest name owns the interface.
    let mut local: Vec<&HostEndpoint> = (snapshot.endpoints.iter())
        .map(|endpoint| &**endpoint)
        .filter(|endpoint| &*endpoint.node == node)
        .collect();
    local.sort_by(|a, b| a.metadata.name.as_bytes().cmp(b.metadata.name.as_bytes()));
    let felix = &snapshot.felix;

    // EV-008, EV-015: the loopback interface and excluded ones are nobody's.
    if interface.is_loopback || is_excluded(felix, interface) {
        return Role::Unpoliced;
    }
    let wildcard = local
        .iter()
        .find(|endpoint| endpoint.interface == InterfaceMatch::All);
    if is_workload(felix, interface) {
        return wildcard.map_or(Role::Unpoliced, |endpoint| Role::Workload(endpoint));
    }
    let specific = local
        .iter()
        .find(|endpoint| matches_specifically(endpoint, interface));
    // EV-012: `*` owns what no specific endpoint does.
    match (specific, wildcard) {
        (Some(endpoint), _) => Role::Endpoint(endpoint),
        (None, Some(endpoint)) if wildcard_covers(felix, interface) => Role::Endpoint(endpoint),
        (None, _) => Role::Unpoliced,
    }
}

/// By name (EV-009) or, without one, by any of the interface's addresses (EV-010).
fn matches_specifically(endpoint: &HostEndpoint, interface: &Interface) -> bool {
    match &endpoint.interface {
        InterfaceMatch::Named(name) => *name == interface.name,
        InterfaceMatch::ByAddress => interface
            .addresses
            .iter()
            .any(|address: &IpAddr| endpoint.expected_ips.contains(address)),
        InterfaceMatch::All => false,
    }
}

/// EV-014, EV-016: the interfaces that `*` covers, besides those that no endpoint owns anyway.
fn wildcard_covers(felix: &FelixConfiguration, interface: &Interface) -> bool {
    let patterns = &felix.wildcard_patterns;
    !interface.is_member
        && (patterns.is_empty() || patterns.iter().any(|regex| regex.is_match(&interface.name)))
}

/// RS-151.
fn is_workload(felix: &FelixConfiguration, interface: &Interface) -> bool {
    felix
        .interface_prefixes
        .iter()
        .any(|prefix| interface.name.starts_with(prefix.as_str()))
}

/// RS-152.
fn is_excluded(felix: &FelixConfiguration, interface: &Interface) -> bool {
    felix
        .interface_exclude
        .iter()
        .any(|regex| regex.is_match(&interface.name))
}
