//! From a packet to the Ethernet frame that carries it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hep_common::protocol;

use crate::reference::{Extension, Packet};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherTypes of 802.1Q and 802.1ad tags.
const ETHERTYPE_TAG: [u16; 2] = [0x8100, 0x88a8];
/// Locally administered, unicast.
const MAC_SOURCE: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
/// Locally administered, unicast.
pub(super) const MAC_DESTINATION: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
/// Identifier of ICMP queries.
const ICMP_IDENTIFIER: u16 = 0x1234;
/// Protocol of the packet that ICMP errors are about.
pub(super) const EMBEDDED_PROTOCOL: u8 = protocol::UDP;
/// Payload of protocols that have no header here; no protocol needs more (EV-181).
const OTHER_PAYLOAD: [u8; 8] = [0; 8];

/// Length of an SCTP chunk, its head included: that of an INIT without parameters.
const SCTP_CHUNK_BYTES: u8 = 20;
/// Payload of the later fragment of a packet in two fragments.
const LATER_PAYLOAD: [u8; 8] = [0; 8];
/// The IPv6 extension header of fragments.
const FRAGMENT_HEADER: u8 = 44;
/// Identification of fragments: the same for all, so that the programs must keep packets apart.
const FRAGMENT_ID: u16 = 0x4845;

/// How much of a packet a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Whole,
    First,
    /// The rest, after this many bytes.
    Later(u16),
}

/// The frames of a packet: one, or two if it is fragmented; without what is before the IP header if they
/// are `headerless`. Lengths are right, as are the checksums of IPv4, and of TCP, UDP and ICMP in a whole
/// packet; nothing checks them (EV-182).
pub(super) fn frames(packet: &Packet, headerless: bool) -> Vec<Vec<u8>> {
    let frame = |piece, body: &[u8]| {
        let mut frame = if headerless {
            Vec::new()
        } else {
            link_header(packet)
        };
        frame.extend(ip(packet, piece, body));
        frame
    };
    let mut first = transport(packet);
    if !packet.fragmented {
        return vec![frame(Piece::Whole, &first)];
    }
    first.resize(first.len().next_multiple_of(8), 0);
    let offset = u16::try_from(first.len()).expect("headers are short");
    vec![
        frame(Piece::First, &first),
        frame(Piece::Later(offset), &LATER_PAYLOAD),
    ]
}

/// The Ethernet header, with tags.
fn link_header(packet: &Packet) -> Vec<u8> {
    let ethertype = match packet.source {
        IpAddr::V4(_) => ETHERTYPE_IPV4,
        IpAddr::V6(_) => ETHERTYPE_IPV6,
    };
    let mut header = Vec::with_capacity(128);
    header.extend(MAC_DESTINATION);
    header.extend(MAC_SOURCE);
    for tag in &packet.framing.tags {
        header.extend(ETHERTYPE_TAG[usize::from(tag.is_service)].to_be_bytes());
        header.extend(tag.id.to_be_bytes());
    }
    header.extend(ethertype.to_be_bytes());
    header
}

/// The packet's IP header with its extensions, and what follows.
fn ip(packet: &Packet, piece: Piece, body: &[u8]) -> Vec<u8> {
    let mut between = fragment_header(packet.protocol, piece);
    let mut next = if between.is_empty() {
        packet.protocol
    } else {
        FRAGMENT_HEADER
    };
    if packet.source.is_ipv4() {
        (between, next) = (Vec::new(), packet.protocol);
    }
    for extension in packet.framing.extensions.iter().rev() {
        between.splice(..0, extension_header(*extension, next));
        next = extension.header;
    }
    between.extend(body);
    let ends = (packet.source, packet.destination);
    ip_header(ends, next, packet.hop_limit, piece, &between)
}

/// An extension header of 8 bytes (an authentication header has 16), before `next`.
fn extension_header(extension: Extension, next: u8) -> Vec<u8> {
    let mut header = vec![next, 0, 0, 0, 0, 0, 0, 0];
    match extension.header {
        Extension::ROUTING => header[2] = extension.routing_type,
        Extension::AUTHENTICATION => {
            header[1] = 2;
            header.resize(16, 0);
        }
        _ => {}
    }
    header
}

/// An IP header and what follows it.
fn ip_header(
    ends: (IpAddr, IpAddr),
    protocol: u8,
    hop_limit: u8,
    piece: Piece,
    body: &[u8],
) -> Vec<u8> {
    let mut packet = match ends {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ipv6_header(source, destination, protocol, hop_limit, body.len())
        }
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let field = fragment_field(piece);
            ipv4_header(source, destination, protocol, hop_limit, field, body.len())
        }
        // Packets have addresses of one family.
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    };
    packet.extend(body);
    packet
}

fn ipv4_header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    hop_limit: u8,
    fragment: u16,
    body: usize,
) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(length(20 + body));
    header.extend(FRAGMENT_ID.to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([hop_limit, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    let sum = checksum(&[&header]);
    header.splice(10..12, sum);
    header
}

/// The 16 bits of flags and offset of an IPv4 header.
const fn fragment_field(piece: Piece) -> u16 {
    match piece {
        Piece::Whole => 0x4000,
        Piece::First => 0x2000,
        Piece::Later(offset) => offset / 8,
    }
}

/// The IPv6 fragment header of a piece.
fn fragment_header(protocol: u8, piece: Piece) -> Vec<u8> {
    let field: u16 = match piece {
        Piece::Whole => return Vec::new(),
        Piece::First => 1,
        Piece::Later(offset) => offset,
    };
    let mut header = vec![protocol, 0];
    header.extend(field.to_be_bytes());
    header.extend([0, 0]);
    header.extend(FRAGMENT_ID.to_be_bytes());
    header
}

fn ipv6_header(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: u8,
    hop_limit: u8,
    body: usize,
) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(length(body));
    header.extend([protocol, hop_limit]);
    header.extend(source.octets());
    header.extend(destination.octets());
    header
}

/// The transport header and payload that follow the IP header.
fn transport(packet: &Packet) -> Vec<u8> {
    if packet.icmp.is_some() {
        return icmp(packet);
    }
    let ports = packet
        .ports
        .map_or([0; 4], |ports| port_bytes(ports.source, ports.destination));
    let (mut body, checksum_at) = match packet.protocol {
        protocol::TCP => {
            let mut header = ports.to_vec();
            header.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, packet.tcp_flags]);
            header.extend([0xff, 0xff, 0, 0, 0, 0]);
            (header, 16)
        }
        protocol::UDP => {
            let mut header = ports.to_vec();
            header.extend(length(8));
            header.extend([0, 0]);
            (header, 6)
        }
        protocol::SCTP => {
            let chunk = [packet.sctp_chunk, 0, 0, SCTP_CHUNK_BYTES];
            let mut body = [&ports[..], &[0; 8], &chunk].concat();
            body.resize(body.len() + usize::from(SCTP_CHUNK_BYTES) - chunk.len(), 0);
            return body;
        }
        number if protocol::is_keyed_by_ports(number) => {
            return [&ports[..], &OTHER_PAYLOAD].concat();
        }
        _ => return OTHER_PAYLOAD.to_vec(),
    };
    let sum = transport_checksum(packet, &body);
    body.splice(checksum_at..checksum_at + 2, sum);
    body
}

/// An ICMP query, or an error about a UDP packet that the destination could have sent.
fn icmp(packet: &Packet) -> Vec<u8> {
    let Some(header) = packet.icmp else {
        return Vec::new();
    };
    let mut body = vec![header.icmp_type, header.code, 0, 0];
    body.extend(ICMP_IDENTIFIER.to_be_bytes());
    body.extend([0, 1]);
    let mut embedded = port_bytes(50_000, 50_001).to_vec();
    embedded.extend(length(8));
    embedded.extend([0, 0]);
    body.extend(ip_header(
        (packet.destination, packet.source),
        EMBEDDED_PROTOCOL,
        packet.hop_limit,
        Piece::Whole,
        &embedded,
    ));
    let sum = match packet.source {
        IpAddr::V4(_) => checksum(&[&body]),
        IpAddr::V6(_) => transport_checksum(packet, &body),
    };
    body.splice(2..4, sum);
    body
}

fn port_bytes(source: u16, destination: u16) -> [u8; 4] {
    let [a, b] = source.to_be_bytes();
    let [c, d] = destination.to_be_bytes();
    [a, b, c, d]
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes)
        .expect("a crafted packet is far shorter than 64 KiB")
        .to_be_bytes()
}

/// The checksum of `body` with the packet's pseudo-header.
fn transport_checksum(packet: &Packet, body: &[u8]) -> [u8; 2] {
    let addresses = match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            [source.octets(), destination.octets()].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            [source.octets(), destination.octets()].concat()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    };
    let [high, low] = length(body.len());
    checksum(&[&addresses, &[0, packet.protocol, high, low], body])
}

/// RFC 1071.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let word = match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                [high] => u16::from_be_bytes([*high, 0]),
                _ => 0,
            };
            sum += u32::from(word);
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests {
    use hep_common::Direction;

    use super::*;
    use crate::reference::{Framing, IcmpHeader, Ports, sctp_chunk, tcp_flags};

    fn packet(protocol: u8, source: &str, destination: &str) -> Packet {
        let ports = Ports {
            source: 40_000,
            destination: 80,
        };
        Packet {
            direction: Direction::Ingress,
            interface: "eth0".into(),
            forwarded: false,
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            protocol,
            ports: (protocol != protocol::ICMP && protocol != protocol::ICMPV6).then_some(ports),
            icmp: None,
            tcp_flags: tcp_flags::SYN,
            sctp_chunk: sctp_chunk::INIT,
            hop_limit: 64,
            mark: 0,
            framing: Framing::default(),
            fragmented: false,
        }
    }

    /// The frame of a packet that is not fragmented.
    fn frame(packet: &Packet) -> Vec<u8> {
        frames(packet, false).concat()
    }

    /// The sum over a header that holds its own checksum is 0.
    #[test]
    fn checksums_and_lengths_are_right_in_both_families() {
        let v4 = frame(&packet(protocol::TCP, "192.0.2.1", "192.0.2.2"));
        assert_eq!(v4.len(), 14 + 20 + 20);
        assert_eq!(v4[16..18], [0, 40]);
        assert_eq!(checksum(&[&v4[14..34]]), [0, 0]);
        assert_eq!(checksum(&[&v4[26..34], &[0, 6, 0, 20], &v4[34..]]), [0, 0]);
        assert_eq!(v4[34..38], [0x9c, 0x40, 0, 80]);
        assert_eq!(v4[47], tcp_flags::SYN);

        let v6 = frame(&packet(protocol::UDP, "2001:db8::1", "2001:db8::2"));
        assert_eq!(v6.len(), 14 + 40 + 8);
        assert_eq!(v6[18..20], [0, 8]);
        assert_eq!(checksum(&[&v6[22..54], &[0, 17, 0, 8], &v6[54..]]), [0, 0]);
    }

    /// EV-174: an error carries a packet that its receiver could have sent.
    #[test]
    fn an_icmp_error_embeds_a_packet_of_its_receiver() {
        let mut error = packet(protocol::ICMP, "192.0.2.1", "192.0.2.2");
        error.icmp = Some(IcmpHeader {
            icmp_type: 3,
            code: 4,
        });
        let frame = frame(&error);
        let embedded = &frame[14 + 20 + 8..];
        assert_eq!(embedded[12..16], [192, 0, 2, 2]);
        assert_eq!(embedded[16..20], [192, 0, 2, 1]);
        assert_eq!(checksum(&[&frame[34..]]), [0, 0]);
    }

    /// EV-179: two pieces with one identification, the first with the whole transport header.
    #[test]
    fn a_fragmented_packet_has_two_frames() {
        for (source, destination, ip_bytes) in [
            ("192.0.2.1", "192.0.2.2", 20),
            ("2001:db8::1", "2001:db8::2", 48),
        ] {
            let mut packet = packet(protocol::TCP, source, destination);
            packet.fragmented = true;
            let [first, later] = &frames(&packet, false)[..] else {
                panic!("two frames");
            };
            assert_eq!(first.len(), 14 + ip_bytes + 24);
            assert_eq!(later.len(), 14 + ip_bytes + 8);
            let fields = |frame: &[u8]| match ip_bytes {
                20 => (frame[18..20].to_vec(), frame[20..22].to_vec()),
                _ => (frame[60..62].to_vec(), frame[56..58].to_vec()),
            };
            assert_eq!(fields(first).0, fields(later).0);
            let offset = if ip_bytes == 20 { [0, 3] } else { [0, 24] };
            assert_eq!(fields(later).1, offset);
        }
    }
}
