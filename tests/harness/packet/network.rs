//! IPv4 and IPv6 headers, extension headers and fragments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Fragment, Packet, checksum};

/// The IPv6 extension header for fragments.
const FRAGMENT_HEADER: u8 = 44;

impl Packet {
    /// The packet from its IP header on, as a link without an Ethernet header carries it.
    #[must_use]
    pub fn datagram(&self) -> Vec<u8> {
        let mut transport = self
            .transport
            .bytes(self.source, self.destination, self.protocol);
        if let Some(piece) = self.fragment {
            let start = usize::from(piece.offset_bytes).min(transport.len());
            let end = (start + usize::from(piece.length_bytes)).min(transport.len());
            transport = transport[start..end].to_vec();
        }
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.ipv4(source, destination, &transport)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.ipv6(source, destination, &transport)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                unreachable!("the constructor asserts one family")
            }
        }
    }

    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr, transport: &[u8]) -> Vec<u8> {
        let header_bytes = 20 + self.options.len();
        let words = self
            .stated_header_words
            .unwrap_or_else(|| u8::try_from(header_bytes / 4).expect("options fit"));
        let length = self.stated_length.unwrap_or_else(|| {
            u16::try_from(header_bytes + transport.len()).expect("the packet fits")
        });
        let id = u16::try_from(self.identification & 0xffff).expect("masked");
        let mut header = vec![(self.stated_version.unwrap_or(4) << 4) | words, 0];
        header.extend(length.to_be_bytes());
        header.extend(id.to_be_bytes());
        header.extend(self.fragment.map_or(0, ipv4_fragment_field).to_be_bytes());
        header.extend([self.hop_limit, self.protocol, 0, 0]);
        header.extend(source.octets());
        header.extend(destination.octets());
        header.extend(&self.options);
        let sum = checksum::internet(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header.extend(transport);
        header
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr, transport: &[u8]) -> Vec<u8> {
        let mut chain = self.extensions.clone();
        if let Some(piece) = self.fragment {
            let field = piece.offset_bytes | u16::from(piece.more);
            let mut rest = vec![0];
            rest.extend(field.to_be_bytes());
            rest.extend(self.identification.to_be_bytes());
            chain.push((FRAGMENT_HEADER, rest));
        }
        let mut body = Vec::new();
        for (position, (_, rest)) in chain.iter().enumerate() {
            let next = chain.get(position + 1).map_or(self.protocol, |next| next.0);
            body.push(next);
            body.extend(rest);
        }
        body.extend(transport);
        let length = self
            .stated_length
            .unwrap_or_else(|| u16::try_from(body.len()).expect("the packet fits"));
        let mut header = vec![self.stated_version.unwrap_or(6) << 4, 0, 0, 0];
        header.extend(length.to_be_bytes());
        header.push(chain.first().map_or(self.protocol, |first| first.0));
        header.push(self.hop_limit);
        header.extend(source.octets());
        header.extend(destination.octets());
        header.extend(body);
        header
    }
}

/// The 16 bits of flags and offset of an IPv4 header.
fn ipv4_fragment_field(piece: Fragment) -> u16 {
    (piece.offset_bytes / 8) | (u16::from(piece.more) << 13)
}
