//! Protocols, ports and families.

use std::{fmt, sync::Arc};

use hep_common::protocol;

/// An IP version; the ABI's own type.
pub type IpFamily = hep_common::Family;

/// An IP protocol as a rule names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol {
    /// IANA number, 1–255.
    pub number: u8,
    /// Whether the rule gave the name; only the names `ICMP` and `ICMPv6` imply a family (EV-115).
    pub by_name: bool,
}

impl Protocol {
    /// Names and numbers of the protocols that have a name (RS-019, EV-119).
    pub const NAMES: [(&'static str, u8); 6] = [
        ("TCP", protocol::TCP),
        ("UDP", protocol::UDP),
        ("ICMP", protocol::ICMP),
        ("ICMPv6", protocol::ICMPV6),
        ("SCTP", protocol::SCTP),
        ("UDPLite", protocol::UDPLITE),
    ];

    /// Whether rules may match this protocol's ports (RS-020).
    #[must_use]
    pub const fn has_ports(self) -> bool {
        matches!(self.number, protocol::TCP | protocol::UDP | protocol::SCTP)
    }

    /// The family that the protocol's *name* implies.
    #[must_use]
    pub const fn implied_family(self) -> Option<IpFamily> {
        match (self.by_name, self.number) {
            (true, protocol::ICMP) => Some(IpFamily::V4),
            (true, protocol::ICMPV6) => Some(IpFamily::V6),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES
            .iter()
            .find(|(_, number)| *number == self.number)
        {
            Some((name, _)) if self.by_name => f.write_str(name),
            _ => write!(f, "{}", self.number),
        }
    }
}

/// An inclusive range of ports that is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The ports `first..=last`, or `None` if that is empty or holds port 0.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first == 0 || first > last {
            None
        } else {
            Some(Self { first, last })
        }
    }

    /// Lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether `port` is in the range.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}:{}", self.first, self.last)
        }
    }
}

/// A port name that follows the IANA service-name rule (RS-022).
pub type PortName = Arc<str>;
