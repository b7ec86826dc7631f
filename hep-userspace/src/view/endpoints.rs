//! HostEndpoints of this node.

use std::{collections::BTreeMap, net::IpAddr};

use schemars::JsonSchema;
use serde::Serialize;

use crate::compile::{Description, DirectionDescription, EndpointDescription};

/// A HostEndpoint of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Name.
    pub name: String,
    /// `spec.interfaceName`: a name, `*`, or empty.
    pub interface_name: String,
    /// `spec.expectedIPs`.
    pub expected_ips: Vec<IpAddr>,
    /// `spec.profiles`.
    pub profiles: Vec<String>,
    /// Labels, inherited ones included.
    pub labels: BTreeMap<String, String>,
    /// Whether the daemon generated it.
    pub generated: bool,
    /// File; empty if it is generated.
    pub file: String,
    /// Line, from 1; 0 if it is generated.
    pub line: u32,
    /// Interfaces that it owns; none: it matches no interface.
    pub interfaces: Vec<String>,
    /// Packets that come in.
    pub ingress: Side,
    /// Packets that go out.
    pub egress: Side,
}

/// One direction of a HostEndpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// `tier/policy` in order of evaluation; staged policies have the prefix `staged:`.
    pub policies: Vec<String>,
    /// Verdict on local packets that no rule matches.
    pub unmatched: String,
    /// Verdict on forwarded packets that no rule matches.
    pub unmatched_forwarded: String,
}

impl Endpoint {
    /// All endpoints of a generation.
    #[must_use]
    pub fn all(description: &Description) -> Vec<Self> {
        description.endpoints.iter().map(Self::from).collect()
    }
}

impl From<&EndpointDescription> for Endpoint {
    fn from(endpoint: &EndpointDescription) -> Self {
        Self {
            name: endpoint.name.clone(),
            interface_name: endpoint.interface_name.clone(),
            expected_ips: endpoint.expected_ips.clone(),
            profiles: endpoint.profiles.clone(),
            labels: endpoint.labels.clone(),
            generated: endpoint.generated,
            file: endpoint.file.clone(),
            line: endpoint.line,
            interfaces: endpoint.interfaces.clone(),
            ingress: Side::from(&endpoint.ingress),
            egress: Side::from(&endpoint.egress),
        }
    }
}

impl From<&DirectionDescription> for Side {
    fn from(direction: &DirectionDescription) -> Self {
        Self {
            policies: direction.policies.clone(),
            unmatched: direction.unmatched.clone(),
            unmatched_forwarded: direction.unmatched_forwarded.clone(),
        }
    }
}
