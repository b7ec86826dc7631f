//! A case: what is configured, and what should happen to packets.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::packet::PacketCase;

/// A resource of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Resource {
    /// A file or directory, relative to the case's file.
    Path(String),
    /// The resource itself.
    Inline(serde_json::Value),
}

/// Options that change verdicts, besides the resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaseOptions {
    /// `--ipv6-nd-exempt`.
    pub ipv6_nd_exempt: bool,
    /// `--ipv6-ra-exempt`.
    pub ipv6_ra_exempt: bool,
    /// An ICMP message that only belongs to a flow (a reply, a redirect of IPv6, an unknown type) is invalid,
    /// as on the host (EV-171). Else policy judges it: a case is about rules, and may name any type.
    pub icmp_invalid_check: bool,
}

impl Default for CaseOptions {
    fn default() -> Self {
        Self {
            ipv6_nd_exempt: true,
            ipv6_ra_exempt: true,
            icmp_invalid_check: false,
        }
    }
}

impl CaseOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Everything that is configured, and packets with the verdicts they should get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name; if there is none, the case's number in its file.
    #[serde(default)]
    pub id: String,
    /// Remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The source that states the fact.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub src: String,
    /// Name of the host that decides.
    pub node: String,
    /// Everything that is configured.
    pub resources: Vec<Resource>,
    /// The host's interfaces and their addresses.
    pub interfaces: BTreeMap<String, Vec<IpAddr>>,
    /// Interfaces whose frames begin with the IP header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headerless: Vec<String>,
    /// The interface that packets are judged at unless they name another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Options that change verdicts, besides the resources.
    #[serde(default, skip_serializing_if = "CaseOptions::is_default")]
    pub options: CaseOptions,
    /// The packets.
    pub packets: Vec<PacketCase>,
}
