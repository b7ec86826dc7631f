//! The packet on the wire that a packet of a case stands for.

use super::{
    case::Case,
    packet::{CUSTOMER_TAG, DirectionText, PacketCase},
};
use crate::reference::{Extension, Framing, Packet, PacketError, PacketSpec, Tag};

/// EtherType of 802.1ad tags.
const SERVICE_TAG: u16 = 0x88a8;
/// The highest VLAN.
const LAST_VLAN: u16 = 0xfff;
/// Type of a routing header whose case gives none: mobility's.
const DEFAULT_ROUTING_TYPE: u8 = 2;

/// Why a case is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The packet's own fields make none.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// No interface is named.
    #[error("neither the packet nor the case names an interface")]
    NoInterface,
    /// The named interface is not among the case's interfaces.
    #[error("interface `{0}` is not one of the case's `interfaces`")]
    UnknownInterface(String),
    /// A tag that is none, or where no tags can be.
    #[error(
        "a tag has `ethertype` 0x8100 or 0x88a8 and `id` 0 to 4095, on an interface that is not `headerless`"
    )]
    Tag,
    /// An extension header that is none, or in an IPv4 packet.
    #[error("IPv6 packets have extension headers 0, 43, 51, 60, 135, 139 and 140, others none")]
    Extension,
}

impl PacketCase {
    /// The packet as it is on the wire at the hook.
    ///
    /// # Errors
    ///
    /// [`CaseError`] if the packet's fields do not go together.
    pub fn packet(&self, case: &Case) -> Result<Packet, CaseError> {
        let interface = self
            .interface
            .as_ref()
            .or(case.interface.as_ref())
            .ok_or(CaseError::NoInterface)?;
        if !case.interfaces.contains_key(interface) {
            return Err(CaseError::UnknownInterface(interface.clone()));
        }
        let is_before_dnat = self.direction == DirectionText::Ingress;
        let destination = self.pre_dnat_dst.filter(|_| is_before_dnat);
        let destination_port = self.pre_dnat_dport.filter(|_| is_before_dnat);
        let spec = PacketSpec {
            forwarded: self.forwarded,
            source_port: self.sport,
            destination_port: destination_port.or(self.dport),
            icmp_type: self.icmp_type,
            icmp_code: self.icmp_code,
            tcp_flags: self.tcp_flags.clone(),
            sctp_chunk: self.sctp_chunk,
            hop_limit: self.hop_limit,
            framing: Framing {
                tags: self.frame_tags(case, interface)?,
                extensions: self.extension_headers()?,
            },
            fragmented: self.fragmented,
            ..PacketSpec::new(
                (self.direction.into(), interface),
                self.proto.number()?,
                self.src,
                destination.unwrap_or(self.dst),
            )
        };
        Ok(spec.packet()?)
    }

    fn frame_tags(&self, case: &Case, interface: &String) -> Result<Vec<Tag>, CaseError> {
        if !self.tags.is_empty() && case.headerless.contains(interface) {
            return Err(CaseError::Tag);
        }
        let tags = self.tags.iter().map(|tag| {
            let is_known = [CUSTOMER_TAG, SERVICE_TAG].contains(&tag.ethertype);
            (is_known && tag.id <= LAST_VLAN)
                .then_some(Tag {
                    is_service: tag.ethertype == SERVICE_TAG,
                    id: tag.id,
                })
                .ok_or(CaseError::Tag)
        });
        tags.collect()
    }

    fn extension_headers(&self) -> Result<Vec<Extension>, CaseError> {
        let headers = self.extensions.iter().map(|extension| {
            (self.src.is_ipv6() && Extension::ALL.contains(&extension.header))
                .then_some(Extension {
                    header: extension.header,
                    routing_type: extension.routing_type.unwrap_or(DEFAULT_ROUTING_TYPE),
                })
                .ok_or(CaseError::Extension)
        });
        headers.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::reference::tcp_flags;

    /// The packet of a case that sets only these fields.
    fn packet(fields: Value) -> Result<Packet, CaseError> {
        let mut packet = json!({
            "direction": "ingress", "src": "192.0.2.1", "dst": "192.0.2.2", "proto": "tcp",
            "dport": 80, "expect": "allow",
        });
        for (name, value) in fields.as_object().expect("fields are a map") {
            packet[name] = value.clone();
        }
        let case: Case = serde_json::from_value(json!({
            "node": "h1", "resources": [], "interfaces": { "eth0": [], "eth1": [] },
            "interface": "eth0", "packets": [packet],
        }))
        .expect("a case");
        case.packets[0].packet(&case)
    }

    #[test]
    fn what_a_packet_leaves_out_has_a_default() {
        let tcp = packet(json!({})).expect("a packet");
        assert_eq!(&*tcp.interface, "eth0");
        assert_eq!(tcp.tcp_flags, tcp_flags::SYN);
        assert_eq!(tcp.ports.map(|ports| ports.destination), Some(80));
        let ping = packet(json!({ "proto": "ICMP" })).expect("a packet");
        assert_eq!(ping.icmp.map(|icmp| icmp.icmp_type), Some(8));
        assert_eq!(ping.ports, None);
        let ping = packet(json!({ "proto": 58, "src": "::1", "dst": "::2" })).expect("a packet");
        assert_eq!(ping.icmp.map(|icmp| icmp.icmp_type), Some(128));
    }

    /// EV-091: ingress sees the destination before translation, egress the one after it.
    #[test]
    fn each_hook_sees_the_destination_that_is_on_the_wire() {
        let seen = |direction| {
            let fields = json!({
                "direction": direction, "pre_dnat_dst": "198.51.100.7", "pre_dnat_dport": 8080,
            });
            let packet = packet(fields).expect("a packet");
            let port = packet.ports.map(|ports| ports.destination);
            (packet.destination.to_string(), port)
        };
        assert_eq!(seen("ingress"), ("198.51.100.7".to_owned(), Some(8080)));
        assert_eq!(seen("egress"), ("192.0.2.2".to_owned(), Some(80)));
    }

    #[test]
    fn contradictions_are_told() {
        let error = |fields| packet(fields).expect_err("makes no sense");
        assert_eq!(error(json!({ "dst": "::1" })), PacketError::Families.into());
        assert_eq!(
            error(json!({ "proto": "gre" })),
            PacketError::Protocol("gre".to_owned()).into()
        );
        assert_eq!(
            error(json!({ "dport": null })),
            PacketError::NoPort(6).into()
        );
        for tag in [
            json!({ "id": 4096 }),
            json!({ "id": 0, "ethertype": 0x9100 }),
        ] {
            assert_eq!(error(json!({ "tags": [tag] })), CaseError::Tag);
        }
        let extension = json!({ "extensions": [{ "header": 60 }] });
        assert_eq!(error(extension), CaseError::Extension);
        let udp = json!({ "src": "::1", "dst": "::2", "extensions": [{ "header": 17 }] });
        assert_eq!(error(udp), CaseError::Extension);
        assert_eq!(
            error(json!({ "tcp_flags": "SYN URG" })),
            PacketError::TcpFlag("URG".to_owned()).into()
        );
        assert_eq!(
            error(json!({ "interface": "eth2" })),
            CaseError::UnknownInterface("eth2".to_owned())
        );
    }
}
