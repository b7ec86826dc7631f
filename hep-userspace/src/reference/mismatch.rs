//! Why a rule did not match.

use std::fmt;

/// A side of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `source`.
    Source,
    /// `destination`.
    Destination,
}

impl Side {
    /// The word in YAML.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// A condition that both sides of a rule can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `nets`.
    Nets,
    /// `notNets`.
    NotNets,
    /// `selector`, `namespaceSelector`, and with one of them `notSelector`.
    Selector,
    /// `notSelector` alone.
    NotSelector,
    /// `ports`.
    Ports,
    /// `notPorts`.
    NotPorts,
}

/// The first condition of a rule that a packet does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// `ipVersion`, or the family that the protocol's name implies.
    IpVersion,
    /// All CIDRs of one of the rule's lists are of the other family.
    OtherFamily(Side, Field),
    /// `protocol`.
    Protocol,
    /// `notProtocol`.
    NotProtocol,
    /// `icmp`.
    Icmp,
    /// `notICMP`.
    NotIcmp,
    /// The rule has `ports`, the packet none.
    NoPorts,
    /// A condition of one side.
    Side(Side, Field),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IpVersion => f.write_str("it is for the other IP version"),
            Self::OtherFamily(side, field) => write!(
                f,
                "{}.{} holds only CIDRs of the other IP version",
                side.name(),
                field.name()
            ),
            Self::Protocol => f.write_str("protocol differs"),
            Self::NotProtocol => f.write_str("notProtocol is the packet's protocol"),
            Self::Icmp => f.write_str("icmp differs"),
            Self::NotIcmp => f.write_str("notICMP is the packet's type"),
            Self::NoPorts => f.write_str("it has ports, the packet none"),
            Self::Side(side, field) => {
                let side = side.name();
                match field {
                    Field::Nets => write!(f, "{side}.nets does not contain the address"),
                    Field::NotNets => write!(f, "{side}.notNets contains the address"),
                    Field::Selector => write!(f, "{side}.selector does not select the address"),
                    Field::NotSelector => write!(f, "{side}.notSelector selects the address"),
                    Field::Ports => write!(f, "{side}.ports does not contain the port"),
                    Field::NotPorts => write!(f, "{side}.notPorts contains the port"),
                }
            }
        }
    }
}

impl Field {
    /// The word in YAML.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nets => "nets",
            Self::NotNets => "notNets",
            Self::Selector => "selector",
            Self::NotSelector => "notSelector",
            Self::Ports => "ports",
            Self::NotPorts => "notPorts",
        }
    }
}
