//! Frames, field by field; wrong ones included.
//!
//! Every constructor gives a packet that a stack would accept. The methods then change the field under
//! test, to wrong lengths if need be.

mod checksum;
mod network;
mod transport;

use std::net::IpAddr;

pub use transport::{ACK, FIN, PSH, RST, SYN, Transport};

/// Default source port.
pub const SOURCE_PORT: u16 = 40_000;
/// Default destination port.
pub const DESTINATION_PORT: u16 = 80;

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of an IEEE 802.1Q tag.
pub const ETHERTYPE_VLAN: u16 = 0x8100;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// A piece of a packet's transport bytes.
#[derive(Clone, Copy, Debug)]
struct Fragment {
    /// Where the piece starts, a multiple of 8.
    offset_bytes: u16,
    /// Length of the piece.
    length_bytes: u16,
    /// More pieces follow.
    more: bool,
}

/// A packet under construction.
#[derive(Clone, Debug)]
pub struct Packet {
    source_mac: Mac,
    destination_mac: Mac,
    tags: Vec<(u16, u16)>,
    ethertype: Option<u16>,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    identification: u32,
    options: Vec<u8>,
    extensions: Vec<(u8, Vec<u8>)>,
    fragment: Option<Fragment>,
    protocol: u8,
    transport: Transport,
    stated_version: Option<u8>,
    stated_length: Option<u16>,
    stated_header_words: Option<u8>,
    cut_bytes: Option<usize>,
    trailer_bytes: usize,
}

impl Packet {
    fn new(source: IpAddr, destination: IpAddr, protocol: u8, transport: Transport) -> Self {
        assert_eq!(
            source.is_ipv4(),
            destination.is_ipv4(),
            "{source} and {destination} are not of one family"
        );
        Self {
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: [2, 0, 0, 0, 0, 2],
            tags: Vec::new(),
            ethertype: None,
            source,
            destination,
            hop_limit: 64,
            identification: 0x1234,
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: None,
            protocol,
            transport,
            stated_version: None,
            stated_length: None,
            stated_header_words: None,
            cut_bytes: None,
            trailer_bytes: 0,
        }
    }

    /// Sets the source port, or the identifier of an ICMP query.
    #[must_use]
    pub fn sport(mut self, port: u16) -> Self {
        self.transport.set_source_port(port);
        self
    }

    /// Sets the destination port.
    #[must_use]
    pub fn dport(mut self, port: u16) -> Self {
        self.transport.set_destination_port(port);
        self
    }

    /// Sets the TCP flags.
    #[must_use]
    pub fn flags(mut self, flags: u8) -> Self {
        self.transport.set_flags(flags);
        self
    }

    /// Sets TCP sequence and acknowledgement numbers.
    #[must_use]
    pub fn numbers(mut self, sequence: u32, acknowledgement: u32) -> Self {
        self.transport.set_numbers(sequence, acknowledgement);
        self
    }

    /// Sets the type of the SCTP chunk.
    #[must_use]
    pub fn chunk(mut self, kind: u8) -> Self {
        self.transport.set_chunk(kind);
        self
    }

    /// Puts this many bytes behind the transport header (of SCTP, behind the head of its chunk).
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        self.transport.set_payload(bytes);
        self
    }

    /// Puts these bytes behind the transport header.
    #[must_use]
    pub fn payload_bytes(mut self, payload: &[u8]) -> Self {
        self.transport.set_payload_bytes(payload.to_vec());
        self
    }

    /// Sets TTL or hop limit.
    #[must_use]
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.hop_limit = hop_limit;
        self
    }

    /// Sets the identification that fragments share.
    #[must_use]
    pub fn identification(mut self, identification: u32) -> Self {
        self.identification = identification;
        self
    }

    /// Adds IPv4 options, padded to words with zeros.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an IPv6 extension header: its number and everything behind its next-header byte.
    #[must_use]
    pub fn extension(mut self, number: u8, rest: &[u8]) -> Self {
        self.extensions.push((number, rest.to_vec()));
        self
    }

    /// Keeps only this piece of the transport bytes, as a fragment; in IPv6 offset 0 without more
    /// is an atomic fragment.
    #[must_use]
    pub fn fragment(mut self, offset_bytes: u16, length_bytes: u16, more: bool) -> Self {
        assert_eq!(offset_bytes % 8, 0, "fragments start at multiples of 8");
        self.fragment = Some(Fragment {
            offset_bytes,
            length_bytes,
            more,
        });
        self
    }

    /// Adds a VLAN tag to the frame, outermost first.
    #[must_use]
    pub fn vlan(self, control: u16) -> Self {
        self.tag(ETHERTYPE_VLAN, control)
    }

    /// Adds a tag of this EtherType (802.1Q or 802.1ad) to the frame, outermost first.
    #[must_use]
    pub fn tag(mut self, ethertype: u16, control: u16) -> Self {
        self.tags.push((ethertype, control));
        self
    }

    /// States this EtherType, whatever follows.
    #[must_use]
    pub fn ethertype(mut self, ethertype: u16) -> Self {
        self.ethertype = Some(ethertype);
        self
    }

    /// Sets both Ethernet addresses.
    #[must_use]
    pub fn ethernet(mut self, source: Mac, destination: Mac) -> Self {
        self.source_mac = source;
        self.destination_mac = destination;
        self
    }

    /// States this IP version, whatever follows.
    #[must_use]
    pub fn stated_version(mut self, version: u8) -> Self {
        self.stated_version = Some(version);
        self
    }

    /// States this IPv4 total length or IPv6 payload length, whatever follows.
    #[must_use]
    pub fn stated_length(mut self, length: u16) -> Self {
        self.stated_length = Some(length);
        self
    }

    /// States this IPv4 header length in words, whatever follows.
    #[must_use]
    pub fn stated_header_words(mut self, words: u8) -> Self {
        self.stated_header_words = Some(words);
        self
    }

    /// Cuts the frame to this length, headers unchanged.
    #[must_use]
    pub fn cut(mut self, frame_bytes: usize) -> Self {
        self.cut_bytes = Some(frame_bytes);
        self
    }

    /// Adds bytes behind the IP packet, as Ethernet padding does.
    #[must_use]
    pub fn trailer(mut self, bytes: usize) -> Self {
        self.trailer_bytes = bytes;
        self
    }

    /// The same packet from destination to source, as an answer has its ends.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.source, &mut self.destination);
        std::mem::swap(&mut self.source_mac, &mut self.destination_mac);
        self.transport.swap_ports();
        self
    }

    /// Sends it to another address.
    #[must_use]
    pub fn to(mut self, destination: IpAddr) -> Self {
        self.destination = destination;
        self
    }

    /// The source address.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// The destination address.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// The whole frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(self.destination_mac);
        frame.extend(self.source_mac);
        for (ethertype, control) in &self.tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let ethertype = self.ethertype.unwrap_or(if self.source.is_ipv4() {
            ETHERTYPE_IPV4
        } else {
            ETHERTYPE_IPV6
        });
        frame.extend(ethertype.to_be_bytes());
        frame.extend(self.datagram());
        frame.resize(frame.len() + self.trailer_bytes, 0);
        if let Some(bytes) = self.cut_bytes {
            frame.truncate(bytes);
        }
        frame
    }
}

/// A TCP SYN.
#[must_use]
pub fn tcp(source: IpAddr, destination: IpAddr) -> Packet {
    Packet::new(source, destination, 6, Transport::tcp())
}

/// A UDP datagram of 8 payload bytes.
#[must_use]
pub fn udp(source: IpAddr, destination: IpAddr) -> Packet {
    Packet::new(source, destination, 17, Transport::udp())
}

/// An SCTP INIT.
#[must_use]
pub fn sctp(source: IpAddr, destination: IpAddr) -> Packet {
    Packet::new(source, destination, 132, Transport::sctp())
}

/// An ICMP or ICMPv6 message, by the family of its addresses.
#[must_use]
pub fn icmp(source: IpAddr, destination: IpAddr, kind: u8, code: u8) -> Packet {
    let protocol = if source.is_ipv4() { 1 } else { 58 };
    Packet::new(source, destination, protocol, Transport::icmp(kind, code))
}

/// An echo request of either family.
#[must_use]
pub fn echo_request(source: IpAddr, destination: IpAddr, identifier: u16) -> Packet {
    let kind = if source.is_ipv4() { 8 } else { 128 };
    icmp(source, destination, kind, 0).sport(identifier)
}

/// An echo reply of either family.
#[must_use]
pub fn echo_reply(source: IpAddr, destination: IpAddr, identifier: u16) -> Packet {
    let kind = if source.is_ipv4() { 0 } else { 129 };
    icmp(source, destination, kind, 0).sport(identifier)
}

/// An ICMP error from `source` about `about`, which embeds at most `embedded_bytes` of it.
#[must_use]
pub fn icmp_error(
    source: IpAddr,
    kind: u8,
    code: u8,
    about: &Packet,
    embedded_bytes: usize,
) -> Packet {
    let mut embedded = about.datagram();
    embedded.truncate(embedded_bytes);
    let mut packet = icmp(source, about.source, kind, code);
    packet.transport.set_payload_bytes(embedded);
    packet
}

/// A packet of a protocol that has ports and nothing else that matters: UDP-Lite or DCCP.
#[must_use]
pub fn with_ports(source: IpAddr, destination: IpAddr, number: u8) -> Packet {
    Packet::new(source, destination, number, Transport::ports())
}

/// A packet of any protocol: addresses, number, and this many bytes.
#[must_use]
pub fn protocol(source: IpAddr, destination: IpAddr, number: u8, bytes: usize) -> Packet {
    Packet::new(source, destination, number, Transport::opaque(bytes))
}
