//! The packet to judge.

use std::{fmt, net::IpAddr, sync::Arc};

use hep_common::{Direction, protocol};

use super::framing::Framing;
use crate::model::IpFamily;

/// TCP flags, at their bits of the header.
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 1 << 0;
    /// Opens a connection.
    pub const SYN: u8 = 1 << 1;
    /// Resets the connection.
    pub const RST: u8 = 1 << 2;
    /// The acknowledgement number is valid.
    pub const ACK: u8 = 1 << 4;
}

/// Types of SCTP chunks.
pub mod sctp_chunk {
    /// Opens an association.
    pub const INIT: u8 = 1;
    /// Looks whether another path of an association works.
    pub const HEARTBEAT: u8 = 4;
}

/// Source and destination port of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
}

/// Type and code of an ICMP (IPv4) or ICMPv6 (IPv6) packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpHeader {
    /// ICMP type.
    pub icmp_type: u8,
    /// ICMP code.
    pub code: u8,
}

/// A packet that belongs to no existing flow and is well-formed, except perhaps for its [`Framing`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Which hook sees it.
    pub direction: Direction,
    /// Name of the interface whose hook sees it.
    pub interface: Arc<str>,
    /// Whether it is routed through this host, not to or from it.
    pub forwarded: bool,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// IANA number of the upper-layer protocol.
    pub protocol: u8,
    /// Ports, for TCP, UDP and SCTP, and if they are known for UDP-Lite and DCCP, whose flows have them
    /// though no rule matches them.
    pub ports: Option<Ports>,
    /// Type and code, for ICMP on IPv4 and ICMPv6 on IPv6.
    pub icmp: Option<IcmpHeader>,
    /// [`tcp_flags`]; 0 if it is not TCP.
    pub tcp_flags: u8,
    /// Type of the only chunk, if it is SCTP: see [`sctp_chunk`].
    pub sctp_chunk: u8,
    /// IPv4 time to live or IPv6 hop limit.
    pub hop_limit: u8,
    /// The skb mark.
    pub mark: u32,
    /// Tags and extension headers.
    pub framing: Framing,
    /// It is sent in fragments; the later ones get the verdict of the first (EV-179).
    pub fragmented: bool,
}

impl Packet {
    /// The packet's IP version.
    #[must_use]
    pub const fn family(&self) -> IpFamily {
        match self.source {
            IpAddr::V4(_) => IpFamily::V4,
            IpAddr::V6(_) => IpFamily::V6,
        }
    }

    /// The ports that rules and failsafes are compared with (EV-123).
    #[must_use]
    pub fn ports_for_rules(&self) -> Option<Ports> {
        let protocol = crate::model::Protocol {
            number: self.protocol,
            by_name: false,
        };
        self.ports.filter(|_| protocol.has_ports())
    }

    /// The protocol number that carries ICMP types in the packet's family (EV-122).
    #[must_use]
    pub const fn icmp_protocol(&self) -> u8 {
        match self.family() {
            IpFamily::V4 => protocol::ICMP,
            IpFamily::V6 => protocol::ICMPV6,
        }
    }
}

impl fmt::Display for Packet {
    /// `ingress eth0 TCP 198.51.100.7:40000 -> 192.0.2.10:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.direction.name();
        let protocol = crate::model::Protocol {
            number: self.protocol,
            by_name: true,
        };
        write!(f, "{direction} {} {protocol} ", self.interface)?;
        write_endpoint(f, self.source, self.ports.map(|ports| ports.source))?;
        f.write_str(" -> ")?;
        write_endpoint(
            f,
            self.destination,
            self.ports.map(|ports| ports.destination),
        )?;
        if let Some(icmp) = self.icmp {
            write!(f, " type {} code {}", icmp.icmp_type, icmp.code)?;
        }
        if self.forwarded {
            f.write_str(", forwarded")?;
        }
        Ok(())
    }
}

fn write_endpoint(f: &mut fmt::Formatter<'_>, address: IpAddr, port: Option<u16>) -> fmt::Result {
    match (address, port) {
        (address, None) => write!(f, "{address}"),
        (IpAddr::V4(address), Some(port)) => write!(f, "{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => write!(f, "[{address}]:{port}"),
    }
}
