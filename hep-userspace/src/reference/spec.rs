//! A packet as a person describes it, with defaults for everything that is left out.

use std::{net::IpAddr, sync::Arc};

use hep_common::{Direction, protocol};

use super::{Framing, IcmpHeader, Packet, Ports, sctp_chunk, tcp_flags};
use crate::model::Protocol;

/// Default source port.
const SOURCE_PORT: u16 = 40_000;
/// Default hop limit.
const HOP_LIMIT: u8 = 64;
/// ICMP echo request, the default type of an ICMP packet.
const ICMP_ECHO_REQUEST: u8 = 8;
/// ICMPv6 echo request, the default type of an ICMPv6 packet.
const ICMPV6_ECHO_REQUEST: u8 = 128;

/// Reason why a description is no packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Unknown protocol name.
    #[error("unknown protocol `{0}`; write tcp, udp, sctp, icmp, icmpv6, udplite or a number")]
    Protocol(String),
    /// Unknown TCP flag.
    #[error("unknown TCP flag `{0}`; write SYN, ACK, FIN or RST")]
    TcpFlag(String),
    /// The addresses are of two families.
    #[error("`src` and `dst` are of different IP versions")]
    Families,
    /// The protocol has ports, the packet none.
    #[error("a packet of protocol {0} needs `dport`")]
    NoPort(u8),
}

/// Description of a packet. Fields that are `None` have defaults; those that the protocol lacks are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketSpec {
    /// Hook that sees it.
    pub direction: Direction,
    /// Name of the interface whose hook sees it.
    pub interface: Arc<str>,
    /// Whether it is routed through this host.
    pub forwarded: bool,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, as on the wire at the hook.
    pub destination: IpAddr,
    /// IANA number of the protocol; [`protocol_number`] reads names.
    pub protocol: u8,
    /// Source port; 40000 if not given.
    pub source_port: Option<u16>,
    /// Destination port; TCP, UDP and SCTP need it.
    pub destination_port: Option<u16>,
    /// ICMP type; echo request if not given.
    pub icmp_type: Option<u8>,
    /// ICMP code; 0 if not given.
    pub icmp_code: Option<u8>,
    /// TCP flags, such as `FIN ACK`; `SYN` if not given.
    pub tcp_flags: Option<String>,
    /// Type of the only chunk of an SCTP packet; 1, INIT, if not given.
    pub sctp_chunk: Option<u8>,
    /// IPv4 time to live or IPv6 hop limit; 64 if not given.
    pub hop_limit: Option<u8>,
    /// Tags and extension headers.
    pub framing: Framing,
    /// Whether it is sent in fragments.
    pub fragmented: bool,
}

impl PacketSpec {
    /// Describes a packet by the fields that have no default.
    #[must_use]
    pub fn new(
        (direction, interface): (Direction, &str),
        protocol: u8,
        source: IpAddr,
        destination: IpAddr,
    ) -> Self {
        Self {
            direction,
            interface: Arc::from(interface),
            forwarded: false,
            source,
            destination,
            protocol,
            source_port: None,
            destination_port: None,
            icmp_type: None,
            icmp_code: None,
            tcp_flags: None,
            sctp_chunk: None,
            hop_limit: None,
            framing: Framing::default(),
            fragmented: false,
        }
    }

    /// Makes the packet.
    ///
    /// # Errors
    ///
    /// [`PacketError`] if the fields contradict each other, or one is missing.
    pub fn packet(self) -> Result<Packet, PacketError> {
        if self.source.is_ipv4() != self.destination.is_ipv4() {
            return Err(PacketError::Families);
        }
        Ok(Packet {
            ports: self.ports()?,
            icmp: self.icmp(),
            tcp_flags: self.tcp_flags()?,
            direction: self.direction,
            interface: self.interface,
            forwarded: self.forwarded,
            source: self.source,
            destination: self.destination,
            protocol: self.protocol,
            sctp_chunk: self.sctp_chunk.unwrap_or(sctp_chunk::INIT),
            hop_limit: self.hop_limit.unwrap_or(HOP_LIMIT),
            mark: 0,
            framing: self.framing,
            fragmented: self.fragmented,
        })
    }

    fn ports(&self) -> Result<Option<Ports>, PacketError> {
        let protocol = Protocol {
            number: self.protocol,
            by_name: false,
        };
        if protocol.has_ports() && self.destination_port.is_none() {
            return Err(PacketError::NoPort(self.protocol));
        }
        let destination = self
            .destination_port
            .filter(|_| protocol::is_keyed_by_ports(self.protocol));
        Ok(destination.map(|destination| Ports {
            source: self.source_port.unwrap_or(SOURCE_PORT),
            destination,
        }))
    }

    fn icmp(&self) -> Option<IcmpHeader> {
        let (icmp_protocol, echo_request) = match self.source {
            IpAddr::V4(_) => (protocol::ICMP, ICMP_ECHO_REQUEST),
            IpAddr::V6(_) => (protocol::ICMPV6, ICMPV6_ECHO_REQUEST),
        };
        (self.protocol == icmp_protocol).then(|| IcmpHeader {
            icmp_type: self.icmp_type.unwrap_or(echo_request),
            code: self.icmp_code.unwrap_or(0),
        })
    }

    fn tcp_flags(&self) -> Result<u8, PacketError> {
        match (self.protocol, &self.tcp_flags) {
            (protocol::TCP, Some(text)) => flags(text),
            (protocol::TCP, None) => Ok(tcp_flags::SYN),
            _ => Ok(0),
        }
    }
}

/// Reads a protocol: `tcp`, `udp`, `sctp`, `icmp`, `icmpv6` or `udplite` in any case, or a number.
///
/// # Errors
///
/// [`PacketError::Protocol`] if it is none of these.
pub fn protocol_number(text: &str) -> Result<u8, PacketError> {
    let named = Protocol::NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    named
        .map(|(_, number)| *number)
        .or_else(|| text.parse().ok())
        .ok_or_else(|| PacketError::Protocol(text.to_owned()))
}

fn flags(text: &str) -> Result<u8, PacketError> {
    text.split_whitespace().try_fold(0, |flags, word| {
        let bit = match word.to_ascii_uppercase().as_str() {
            "SYN" => tcp_flags::SYN,
            "ACK" => tcp_flags::ACK,
            "FIN" => tcp_flags::FIN,
            "RST" => tcp_flags::RST,
            _ => return Err(PacketError::TcpFlag(word.to_owned())),
        };
        Ok(flags | bit)
    })
}
