//! A generation in words: kept beside its tables in the kernel, printed by commands.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::compile::Slots;

/// Everything that commands need to put names to the numbers in the maps. Serialised as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Number of the generation; 0 until it is loaded.
    pub generation: u32,
    /// Unix time at which it came into force, milliseconds; 0 until it is loaded.
    pub applied_unix_ms: u64,
    /// Number of the first generation with this policy: interfaces that appear or vanish make generations
    /// of the same policy. 0 until it is loaded.
    #[serde(default)]
    pub policy: u32,
    /// Stands for everything else that it was compiled from, and the build that did so; empty: unknown.
    #[serde(default)]
    pub inputs: String,
    /// This node's name.
    pub node: String,
    /// Local endpoints by number, generated ones included.
    pub endpoints: Vec<EndpointDescription>,
    /// Interfaces that have programs.
    pub interfaces: Vec<InterfaceDescription>,
    /// Lists by number; list 0 is an empty placeholder.
    pub lists: Vec<ListDescription>,
    /// Rules that the lists refer to, in order of `slot`. Generations share those that stay.
    #[serde(with = "shared")]
    pub rules: Arc<Vec<Arc<RuleDescription>>>,
    /// Address sets that rules use: selectors, with the objects they select.
    pub sets: Vec<SetDescription>,
    /// Inbound failsafe ports.
    pub failsafe_inbound: Vec<FailsafeDescription>,
    /// Outbound failsafe ports.
    pub failsafe_outbound: Vec<FailsafeDescription>,
    /// Resources in the snapshot: kind and count.
    pub resources: Vec<(String, usize)>,
    /// Address classes of IPv4 and IPv6, port classes of destination and source, named ports.
    pub classes: [usize; 5],
    /// Counter slots, for the next generation.
    pub slots: Slots,
}

/// Lists of shared items, as lists of items.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        items: &[Arc<T>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(items.iter().map(|item| &**item))
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Vec<Arc<T>>>, D::Error> {
        let items = Vec::<T>::deserialize(deserializer)?;
        Ok(Arc::new(items.into_iter().map(Arc::new).collect()))
    }
}

/// A local endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointDescription {
    /// Name of the HostEndpoint.
    pub name: String,
    /// `spec.interfaceName`: a name, `*`, or empty.
    pub interface_name: String,
    /// `spec.expectedIPs`.
    pub expected_ips: Vec<IpAddr>,
    /// `spec.profiles`.
    pub profiles: Vec<String>,
    /// Labels, inherited ones included.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Made by the daemon.
    pub generated: bool,
    /// File and line.
    pub file: String,
    /// Line, from 1; 0 if there is none.
    pub line: u32,
    /// Names of the interfaces it owns; empty: it matches none.
    pub interfaces: Vec<String>,
    /// Ingress: policies in order, and what happens to unmatched traffic.
    pub ingress: DirectionDescription,
    /// Egress: as `ingress`.
    pub egress: DirectionDescription,
}

/// One direction of an endpoint: the policies that apply, and the verdict on unmatched packets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectionDescription {
    /// `tier/policy` of the policies that apply, in order of evaluation; staged ones are marked
    /// with a `staged:` prefix.
    pub policies: Vec<String>,
    /// Unmatched local traffic: `denied by tier X`, `denied, no profile`, `allowed by profile Y`.
    pub unmatched: String,
    /// Unmatched forwarded traffic: `allowed`, `denied by tier X`.
    pub unmatched_forwarded: String,
}

/// An interface that has programs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceDescription {
    /// Name.
    pub name: String,
    /// Interface index.
    pub ifindex: u32,
    /// Name of the endpoint that owns it.
    pub endpoint: String,
    /// It is a workload's.
    pub workload: bool,
    /// Its ingress counters' index in the `COUNTERS` map; egress is the next one.
    pub counters: u32,
}

/// Which packets a list judges.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum ListKind {
    /// Before the connection table.
    Untracked,
    /// To or from this host.
    #[default]
    Local,
    /// Through this host.
    Forward,
    /// Exempt from the untracked list.
    Exempt,
}

/// One rule list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListDescription {
    /// Which packets it judges.
    pub kind: ListKind,
    /// `ingress` or `egress`.
    pub direction: String,
    /// 4 or 6.
    pub family: u8,
    /// Names of the interfaces that use it.
    pub interfaces: Vec<String>,
    /// Counter slots of its rules, in order.
    pub rules: Vec<u32>,
}

/// A rule, or a default that is in a list like one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleDescription {
    /// Counter slot.
    pub slot: u32,
    /// `failsafe`, `untracked`, `preDNAT`, `normal`, `forward`, `profile`, `default`.
    pub stage: String,
    /// Tier, if it belongs to one.
    pub tier: String,
    /// `kind/name` of the policy or profile, if it belongs to one.
    pub policy: String,
    /// The rule's place: `ingress[2]`; `end of tier` and the like for defaults.
    pub rule: String,
    /// `Allow`, `Deny`, `Pass`, `Log`, `Continue`.
    pub action: String,
    /// It belongs to a staged policy.
    pub staged: bool,
    /// Name of the [`Reason`](hep_common::counter::Reason) its verdict has.
    pub reason: String,
    /// File, line: where it is written; empty and 0 for defaults.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// The packets that it matches, in one line.
    pub matches: String,
    /// For `Log` rules, the prefix of their records.
    pub log_prefix: String,
}

/// An address set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetDescription {
    /// Canonical text of the selector (merged with the negative one where both are written).
    pub selector: String,
    /// Its identity (SL-038).
    pub id: String,
    /// Names of the objects that satisfy it, as `Kind/name`.
    pub objects: Vec<String>,
    /// Number of IPv4 and of IPv6 prefixes.
    pub prefixes: [usize; 2],
}

/// A failsafe port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailsafeDescription {
    /// `TCP`, `UDP`, `SCTP`.
    pub protocol: String,
    /// Port.
    pub port: u16,
    /// The other end's addresses; empty: all.
    pub net: String,
}
