//! A packet as a case writes it.

use std::net::IpAddr;

use hep_common::Direction;
use serde::{Deserialize, Serialize};

use super::expect::Expect;
use crate::reference::{PacketError, protocol_number};

/// EtherType of a tag whose case gives none.
pub(super) const CUSTOMER_TAG: u16 = 0x8100;

/// A protocol in a case: a name or a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ProtocolText {
    /// IANA number.
    Number(u8),
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or `udplite`, in any case.
    Name(String),
}

impl ProtocolText {
    pub(super) fn number(&self) -> Result<u8, PacketError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(text) => protocol_number(text),
        }
    }
}

/// A VLAN tag in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagCase {
    /// 0x8100 (802.1Q), or 0x88a8 (802.1ad).
    #[serde(default = "customer_tag", skip_serializing_if = "is_customer_tag")]
    pub ethertype: u16,
    /// The VLAN; 0: only a priority.
    pub id: u16,
}

const fn customer_tag() -> u16 {
    CUSTOMER_TAG
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_customer_tag(ethertype: &u16) -> bool {
    *ethertype == CUSTOMER_TAG
}

/// An IPv6 extension header in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionCase {
    /// IANA number; one of [`Extension::ALL`](crate::reference::Extension::ALL).
    pub header: u8,
    /// Type of a routing header; 2 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_type: Option<u8>,
}

/// One packet, the first of a new flow, and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketCase {
    /// `ingress`: entering the host through the interface; `egress`: leaving it.
    pub direction: DirectionText,
    /// Judged at this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Whether the host routes the packet between interfaces.
    #[serde(default)]
    pub forwarded: bool,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol.
    pub proto: ProtocolText,
    /// Source port, of a protocol that has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    /// Destination port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// ICMP code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// Destination before address translation: what a packet at ingress carries (EV-091).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_dnat_dst: Option<IpAddr>,
    /// Destination port before address translation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_dnat_dport: Option<u16>,
    /// IPv4 time to live or IPv6 hop limit; 64 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop_limit: Option<u8>,
    /// Flags of a TCP packet, such as `ACK` or `FIN ACK`; `SYN` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<String>,
    /// Type of the only chunk of an SCTP packet; 1, INIT, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sctp_chunk: Option<u8>,
    /// VLAN tags of its frame, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagCase>,
    /// IPv6 extension headers, the outermost first; a fragment header follows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<ExtensionCase>,
    /// Whether it is sent in two fragments, which get the same verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fragmented: bool,
    /// The verdict.
    pub expect: Expect,
    /// The reason of the verdict, such as `no_profile`, if that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The deciding rule, such as `allow-web ingress[0]`, if that matters: every word must occur in the
    /// decision's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A direction in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectionText {
    /// Entering the host.
    Ingress,
    /// Leaving it.
    Egress,
}

impl From<DirectionText> for Direction {
    fn from(text: DirectionText) -> Self {
        match text {
            DirectionText::Ingress => Self::Ingress,
            DirectionText::Egress => Self::Egress,
        }
    }
}

impl From<Direction> for DirectionText {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self::Ingress,
            Direction::Egress => Self::Egress,
        }
    }
}
