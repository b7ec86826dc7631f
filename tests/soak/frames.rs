//! Frames of many flows, made from one.

use hep_tests::{
    link::Link,
    packet::Packet,
    site::{HOST_MAC, OUTSIDE_MAC, Site},
};

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;

/// Sends one packet to the host again and again, each time as another flow's: the last 16 bits of
/// the source address and the source port vary.
pub(crate) struct Flood {
    link: Link,
    frame: Vec<u8>,
    address: usize,
    port: usize,
    /// Of the IPv4 header, where there is one.
    header_checksum: Option<usize>,
    checksum: usize,
    sent: u32,
}

impl Flood {
    /// A flood of packets like `packet`, whose checksum is `checksum` bytes into its transport
    /// header.
    pub(crate) fn of(site: &Site, packet: &Packet, checksum: usize) -> Self {
        let is_v4 = packet.source().is_ipv4();
        let (header_bytes, source_end) = if is_v4 {
            (IPV4_BYTES, 16)
        } else {
            (IPV6_BYTES, 24)
        };
        let transport = ETHERNET_BYTES + header_bytes;
        Self {
            link: Link::open(&site.outside, "eth0"),
            frame: packet.clone().ethernet(OUTSIDE_MAC, HOST_MAC).frame(),
            address: ETHERNET_BYTES + source_end - 2,
            port: transport,
            header_checksum: is_v4.then_some(ETHERNET_BYTES + 10),
            checksum: transport + checksum,
            sent: 0,
        }
    }

    /// Sends the packet of the next flow.
    pub(crate) fn send(&mut self) {
        let [high, low] = [self.sent >> 16, self.sent & 0xffff];
        let [high, low] = [high, low].map(|half| u16::try_from(half).expect("has 16 bits"));
        let port = 1024 + high % 64_000;
        if let Some(header_checksum) = self.header_checksum {
            self.amend(header_checksum, self.address, low);
        }
        self.amend(self.checksum, self.address, low);
        self.set(self.address, low);
        self.amend(self.checksum, self.port, port);
        self.set(self.port, port);
        self.link.send(&self.frame);
        self.sent += 1;
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.frame[at], self.frame[at + 1]])
    }

    fn set(&mut self, at: usize, word: u16) {
        self.frame[at..at + 2].copy_from_slice(&word.to_be_bytes());
    }

    /// Makes a checksum that of a frame with another word at `at` (RFC 1624).
    fn amend(&mut self, checksum: usize, at: usize, word: u16) {
        let sum = u32::from(!self.word(checksum)) + u32::from(!self.word(at)) + u32::from(word);
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        let folded = u16::try_from(folded).expect("is folded into 16 bits");
        // Zero means none, which IPv6 refuses of UDP; it and this are the same number.
        self.set(
            checksum,
            if folded == u16::MAX {
                u16::MAX
            } else {
                !folded
            },
        );
    }
}
