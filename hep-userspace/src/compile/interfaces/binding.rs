//! Which HostEndpoint owns which interface.

use std::fmt;

use crate::model::{HostEndpoint, Interface, InterfaceMatch, Snapshot};

/// An interface that gets programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The interface.
    pub interface: &'a Interface,
    /// Who owns it.
    pub endpoint: &'a HostEndpoint,
    /// It is a workload's; the endpoint is the `*` that guards the host from it (EV-103).
    pub workload: bool,
}

/// Why an interface is owned as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingReason<'a> {
    /// An endpoint's `interfaceName` is its name (EV-009).
    ByName(&'a HostEndpoint),
    /// It carries one of an endpoint's `expectedIPs` (EV-010).
    ByAddress(&'a HostEndpoint),
    /// A `*` endpoint covers it (EV-012).
    Wildcard(&'a HostEndpoint),
    /// It is a workload's, and a `*` endpoint guards the host from it (EV-103).
    Workload(&'a HostEndpoint),
    /// It is a workload's, and there is no `*` endpoint.
    UnguardedWorkload,
    /// It is the loopback interface (EV-015).
    Loopback,
    /// `interfaceExclude` names it (RS-152).
    Excluded,
    /// It is a member of a bridge, bond or team, which `*` leaves out (EV-016).
    Member,
    /// `bpfDataIfacePattern` keeps it from `*` (EV-014).
    PatternMismatch,
    /// No endpoint matches it.
    Unmatched,
}

impl fmt::Display for BindingReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByName(endpoint) => {
                write!(f, "named by HostEndpoint {}", endpoint.metadata.name)
            }
            Self::ByAddress(endpoint) => write!(
                f,
                "carries one of the expectedIPs of HostEndpoint {}",
                endpoint.metadata.name
            ),
            Self::Wildcard(endpoint) => {
                write!(
                    f,
                    "covered by the * HostEndpoint {}",
                    endpoint.metadata.name
                )
            }
            Self::Workload(endpoint) => write!(
                f,
                "a workload interface, guarded by the * HostEndpoint {}",
                endpoint.metadata.name
            ),
            Self::UnguardedWorkload => f.write_str("a workload interface, and no * HostEndpoint"),
            Self::Loopback => f.write_str("the loopback interface"),
            Self::Excluded => f.write_str("excluded by interfaceExclude"),
            Self::Member => f.write_str("a member of a bridge, bond or team, not covered by *"),
            Self::PatternMismatch => f.write_str("not covered by bpfDataIfacePattern"),
            Self::Unmatched => f.write_str("no HostEndpoint matches it"),
        }
    }
}

/// Who owns what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// This node's endpoints by name.
    pub local: Vec<&'a HostEndpoint>,
    /// Interfaces that get programs, in the order given.
    pub bound: Vec<Bound<'a>>,
    /// Every interface, in the order given, and why it is bound or not.
    pub reasons: Vec<(&'a Interface, BindingReason<'a>)>,
}

impl Binding<'_> {
    /// The place among the local endpoints of the `*` that counts (EV-012).
    pub(crate) fn wildcard(&self) -> Option<usize> {
        let mut local = self.local.iter();
        local.position(|endpoint| endpoint.interface == InterfaceMatch::All)
    }
}

/// Decides who owns each of `interfaces` on the host `node`, a [`NodeName`](crate::model::NodeName)
/// (EV-007 to EV-020, EV-103).
#[must_use]
pub fn bind<'a>(snapshot: &'a Snapshot, node: &str, interfaces: &'a [Interface]) -> Binding<'a> {
    let mut local: Vec<&HostEndpoint> = (snapshot.endpoints.iter())
        .map(|endpoint| &**endpoint)
        .filter(|endpoint| *endpoint.node == *node)
        .collect();
    local.sort_by(|a, b| a.metadata.name.as_bytes().cmp(b.metadata.name.as_bytes()));
    let reasons: Vec<_> = interfaces
        .iter()
        .map(|interface| (interface, reason(snapshot, &local, interface)))
        .collect();
    let bound = reasons.iter().filter_map(|(interface, reason)| {
        let (endpoint, workload) = match reason {
            BindingReason::ByName(endpoint)
            | BindingReason::ByAddress(endpoint)
            | BindingReason::Wildcard(endpoint) => (endpoint, false),
            BindingReason::Workload(endpoint) => (endpoint, true),
            BindingReason::UnguardedWorkload
            | BindingReason::Loopback
            | BindingReason::Excluded
            | BindingReason::Member
            | BindingReason::PatternMismatch
            | BindingReason::Unmatched => return None,
        };
        Some(Bound {
            interface,
            endpoint,
            workload,
        })
    });
    Binding {
        bound: bound.collect(),
        local,
        reasons,
    }
}

fn reason<'a>(
    snapshot: &Snapshot,
    local: &[&'a HostEndpoint],
    interface: &Interface,
) -> BindingReason<'a> {
    let felix = &snapshot.felix;
    let name = &*interface.name;
    if interface.is_loopback {
        return BindingReason::Loopback;
    }
    if felix
        .interface_exclude
        .iter()
        .any(|regex| regex.is_match(name))
    {
        return BindingReason::Excluded;
    }
    let wildcard = local
        .iter()
        .find(|endpoint| endpoint.interface == InterfaceMatch::All);
    let is_workload = |prefix: &String| name.starts_with(prefix.as_str());
    if felix.interface_prefixes.iter().any(is_workload) {
        return wildcard.map_or(BindingReason::UnguardedWorkload, |endpoint| {
            BindingReason::Workload(endpoint)
        });
    }
    // EV-011: the smallest name wins, however it matched.
    let specific = local.iter().find_map(|endpoint| match &endpoint.interface {
        InterfaceMatch::Named(named) => {
            (**named == *name).then_some(BindingReason::ByName(endpoint))
        }
        InterfaceMatch::ByAddress => interface
            .addresses
            .iter()
            .any(|address| endpoint.expected_ips.contains(address))
            .then_some(BindingReason::ByAddress(endpoint)),
        InterfaceMatch::All => None,
    });
    let patterns = &felix.wildcard_patterns;
    match (specific, wildcard) {
        (Some(reason), _) => reason,
        (None, None) => BindingReason::Unmatched,
        (None, Some(_)) if interface.is_member => BindingReason::Member,
        (None, Some(_))
            if !patterns.is_empty() && !patterns.iter().any(|regex| regex.is_match(name)) =>
        {
            BindingReason::PatternMismatch
        }
        (None, Some(endpoint)) => BindingReason::Wildcard(endpoint),
    }
}
