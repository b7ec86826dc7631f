//! A rule of a policy or profile.

use std::{collections::BTreeMap, sync::Arc};

use ipnetwork::IpNetwork;

use super::{IpFamily, PortName, PortRange, Position, Protocol};
use crate::selector::Selector;

/// Action of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Accept.
    Allow,
    /// Drop.
    Deny,
    /// Report and continue with the next rule.
    Log,
    /// Go on with the next tier; in a profile, with the next profile.
    Pass,
}

impl Action {
    /// The word in YAML.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
            Self::Log => "Log",
            Self::Pass => "Pass",
        }
    }
}

/// An ICMP type, or a type and a code; `IcmpMatch { icmp_type: None, .. }` matches any (EV-111).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpMatch {
    /// ICMP type, 0–254.
    pub icmp_type: Option<u8>,
    /// ICMP code; present only with a type.
    pub code: Option<u8>,
}

/// One item of a list of ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortMatch {
    /// One port or a range.
    Range(PortRange),
    /// A named port of HostEndpoints.
    Named(PortName),
}

/// The source or destination side of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityRule {
    /// CIDRs of which one must contain the address, if there are any; networks are masked.
    pub nets: Vec<IpNetwork>,
    /// CIDRs of which none may contain the address.
    pub not_nets: Vec<IpNetwork>,
    /// `namespaceSelector` and `selector`, if not both are empty: `namespaceSelector` about the labels that
    /// Calico keeps of namespaces (RS-103).
    pub selector: Option<Arc<Selector>>,
    /// `notSelector`, if not empty.
    pub not_selector: Option<Arc<Selector>>,
    /// Ports of which one must match, if there are any.
    pub ports: Vec<PortMatch>,
    /// Ports of which none may match.
    pub not_ports: Vec<PortMatch>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `action`.
    pub action: Action,
    /// `ipVersion`.
    pub ip_version: Option<IpFamily>,
    /// `protocol`.
    pub protocol: Option<Protocol>,
    /// `notProtocol`.
    pub not_protocol: Option<Protocol>,
    /// `icmp`.
    pub icmp: Option<IcmpMatch>,
    /// `notICMP`.
    pub not_icmp: Option<IcmpMatch>,
    /// `source`.
    pub source: EntityRule,
    /// `destination`.
    pub destination: EntityRule,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// Where the rule starts.
    pub position: Position,
}

impl Rule {
    /// The rule that no file has and that matches everything.
    #[must_use]
    pub fn for_everything(action: Action) -> Self {
        Self {
            action,
            ip_version: None,
            protocol: None,
            not_protocol: None,
            icmp: None,
            not_icmp: None,
            source: EntityRule::default(),
            destination: EntityRule::default(),
            annotations: BTreeMap::new(),
            position: Position::built_in(),
        }
    }
}
