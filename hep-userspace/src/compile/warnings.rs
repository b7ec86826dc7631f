//! Likely mistakes in a valid snapshot, on the interfaces of this host.

use super::interfaces::binding::{Binding, BindingReason, bind};
use crate::{
    model::{HostEndpoint, Interface, InterfaceMatch, Metadata, Snapshot},
    validate::{Code, Problem, Severity},
};

/// Everything worth a warning that depends on the host's interfaces.
#[must_use]
pub fn warnings(snapshot: &Snapshot, node: &str, interfaces: &[Interface]) -> Vec<Problem> {
    let binding = bind(snapshot, node, interfaces);
    let local = binding.local.iter();
    let mut problems: Vec<Problem> = local
        .filter_map(|endpoint| unbound(&binding, endpoint))
        .collect();
    problems.extend(members(&binding));
    problems.extend(vlans(&binding));
    problems.sort_by(|a, b| a.position.cmp(&b.position));
    problems
}

fn warning(code: Code, metadata: &Metadata, message: String, advice: &str) -> Problem {
    Problem {
        severity: Severity::Warning,
        code,
        position: metadata.position.clone(),
        kind: "HostEndpoint".to_owned(),
        name: metadata.name.to_string(),
        field: "spec.interfaceName".to_owned(),
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
    Some(warning(Code::Unbound, metadata, message, advice))
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
            Code::BridgeMember,
            &endpoint.metadata,
            format!(
                "{name} is a member of a bridge, bond or team: its traffic counts as forwarded"
            ),
            "name the bridge, bond or team itself",
        ))
    })
}

/// VLANs of a policed interface that no endpoint owns (EV-184).
fn vlans<'a>(binding: &'a Binding<'_>) -> impl Iterator<Item = Problem> + 'a {
    let is_bound = |interface: &Interface| {
        let mut bound = binding.bound.iter();
        bound.any(|bound| bound.interface.ifindex == interface.ifindex)
    };
    let free: Vec<_> = binding
        .reasons
        .iter()
        .filter(|(interface, _)| interface.vlan_of.is_some() && !is_bound(interface))
        .collect();
    binding.bound.iter().flat_map(move |bound| {
        let parent = bound.interface;
        let free = free.clone().into_iter();
        let vlans = free.filter(move |(vlan, _)| vlan.vlan_of == Some(parent.ifindex));
        vlans.map(move |(vlan, reason)| {
            warning(
                Code::FreeVlan,
                &bound.endpoint.metadata,
                format!(
                    "traffic of {} passes {} unjudged, as that of a VLAN, and is not policed itself: \
                     {reason}",
                    vlan.name, parent.name
                ),
                "write a HostEndpoint for it",
            )
        })
    })
}
