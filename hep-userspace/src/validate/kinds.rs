//! API groups and kinds: which are read, which are skipped with a notice, and which are mistakes
//! (RS-001, RS-132 to RS-137, RS-308, RS-309).

use std::sync::Arc;

use super::{
    Code,
    collected::Resource,
    cursor::Value,
    endpoint, felix,
    header::Header,
    names::NameRule,
    object::Object,
    policy, simple,
    version::is_mistyped,
    words::{nearest, one_of},
    workload,
};
use crate::model::Kind;

/// Handling of objects of a kind.
#[derive(Clone, Copy)]
pub(super) enum Handling {
    /// They are read.
    Read(Reading),
    /// They are skipped, with a notice of why they have no effect.
    Skipped(&'static str),
}

/// How objects of a kind are read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Names that they may have.
    pub(super) names: NameRule,
    /// Keys beside `metadata` and `spec` that mean nothing here.
    pub(super) ignored: &'static [&'static str],
    /// Decodes the `spec`.
    pub(super) decode: fn(Header<'_>, Object<'_>) -> Option<Resource>,
}

const NAMESPACED: &str = "policies of a namespace never apply to hosts";
const NOT_POLICY: &str = "it is not about host policy";
const NODE: &str = "the daemon takes its node's name from its own configuration";
const WORKLOADS: &str = "workloads are another component's job";

/// Reads objects that have nothing but `metadata` and `spec`.
macro_rules! read {
    ($names:expr, $decode:expr, $resource:path) => {
        Handling::Read(Reading {
            names: $names,
            ignored: &[],
            decode: |header, spec| $decode(header, spec).map(Arc::new).map($resource),
        })
    };
}

/// The handling of a kind.
pub(super) fn handling(kind: Kind) -> Handling {
    use Handling::Skipped;
    use NameRule::{Label, Policy, Subdomain};
    match kind {
        Kind::HostEndpoint => read!(Subdomain, endpoint::decode, Resource::Endpoint),
        Kind::Profile => read!(Subdomain, simple::profile, Resource::Profile),
        Kind::GlobalNetworkPolicy => read!(Policy, policy::enforced, Resource::Policy),
        Kind::StagedGlobalNetworkPolicy => read!(Policy, policy::staged, Resource::Policy),
        Kind::Tier => Handling::Read(Reading {
            names: Label,
            ignored: &["status"],
            decode: |header, spec| simple::tier(header, spec).map(Arc::new).map(Resource::Tier),
        }),
        Kind::GlobalNetworkSet => read!(Subdomain, simple::network_set, Resource::Set),
        Kind::NetworkSet => read!(Subdomain, simple::set_nets, Resource::Set),
        Kind::FelixConfiguration => read!(Subdomain, felix::decode, Resource::Felix),
        Kind::NetworkPolicy | Kind::StagedNetworkPolicy | Kind::StagedKubernetesNetworkPolicy => {
            Skipped(NAMESPACED)
        }
        Kind::WorkloadEndpoint => Skipped(WORKLOADS),
        Kind::Node => Skipped(NODE),
        Kind::KubeControllersConfiguration
        | Kind::IPPool
        | Kind::IPReservation
        | Kind::BGPConfiguration
        | Kind::BGPFilter
        | Kind::BGPPeer
        | Kind::IPAMBlock
        | Kind::IPAMConfig
        | Kind::IPAMConfiguration
        | Kind::IPAMHandle
        | Kind::CalicoNodeStatus
        | Kind::ClusterInformation
        | Kind::BlockAffinity
        | Kind::RemoteClusterConfiguration
        | Kind::LiveMigration => Skipped(NOT_POLICY),
    }
}

/// The handling of a kind whose objects are in a store (DS-028).
pub(super) fn stored_handling(kind: Kind) -> Handling {
    use NameRule::Subdomain;
    if kind == Kind::WorkloadEndpoint {
        read!(Subdomain, workload::decode, Resource::Workload)
    } else if kind == Kind::Node {
        read!(Subdomain, workload::node, Resource::Node)
    } else {
        handling(kind)
    }
}

/// Names of the kinds that are read.
fn read_kinds() -> Vec<&'static str> {
    let read = Kind::ALL
        .into_iter()
        .filter(|kind| matches!(handling(*kind), Handling::Read(_)));
    read.map(Kind::name).collect()
}

/// Whether an object of another group is called like something that is read, or nearly so.
pub(super) fn looks_read(kind: &str) -> bool {
    let kind = kind.strip_suffix("List").unwrap_or(kind);
    // Kubernetes has a kind of its own that is called so.
    kind != "NetworkPolicy" && read_kinds().iter().any(|known| is_mistyped(kind, known))
}

/// Notes that an object of another group is skipped. If single files are checked, every object must be
/// valid, so that there it is an error (`Loader`).
pub(super) fn notice_other(value: &Value<'_>, version: &str, kind: &str) {
    if value.is_stored() {
        return;
    }
    value.notice(
        Code::OtherGroup,
        format!("{version} {kind} is not a Calico resource, and is skipped"),
        "",
    );
}

/// Reports a `kind` that Calico does not have.
pub(super) fn unknown_kind(object: &Object<'_>) {
    let Some(value) = object.required("kind", "write the kind, such as kind: GlobalNetworkPolicy")
    else {
        return;
    };
    let Some(text) = value.text() else { return };
    let advice = match nearest(text, &Kind::ALL.map(Kind::name)) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("write {}", one_of(&read_kinds())),
    };
    value.error::<()>(Code::Kind, "is not a known kind", advice);
}
