//! Frames of many flows, made from one.

use std::net::IpAddr;

use hep_tests::{
    packet::Packet,
    topology::{HOST_MAC, OUTSIDE_MAC},
};

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;

/// A frame towards the host whose source and transport header change; its checksums follow.
#[derive(Clone)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    source: usize,
    transport: usize,
    /// Of the IPv4 header, where there is one.
    header_checksum: Option<usize>,
    checksum: usize,
    /// The transport checksum covers the addresses.
    covers_addresses: bool,
}

impl Frame {
    /// The frame of `packet`, whose checksum is `checksum` bytes into its transport header.
    pub(crate) fn of(packet: &Packet, checksum: usize, covers_addresses: bool) -> Self {
        let is_v4 = packet.source().is_ipv4();
        let (header_bytes, source) = if is_v4 {
            (IPV4_BYTES, 12)
        } else {
            (IPV6_BYTES, 8)
        };
        let transport = ETHERNET_BYTES + header_bytes;
        Self {
            bytes: packet.clone().ethernet(OUTSIDE_MAC, HOST_MAC).frame(),
            source: ETHERNET_BYTES + source,
            transport,
            header_checksum: is_v4.then_some(ETHERNET_BYTES + 10),
            checksum: transport + checksum,
            covers_addresses,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Sets the source address, of the frame's own family.
    pub(crate) fn set_source(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.set_address(&address.octets()),
            IpAddr::V6(address) => self.set_address(&address.octets()),
        }
    }

    fn set_address(&mut self, octets: &[u8]) {
        for (number, octets) in octets.as_chunks().0.iter().enumerate() {
            let (at, word) = (self.source + 2 * number, u16::from_be_bytes(*octets));
            if let Some(header_checksum) = self.header_checksum {
                self.amend(header_checksum, at, word);
            }
            if self.covers_addresses {
                self.amend(self.checksum, at, word);
            }
            self.set(at, word);
        }
    }

    /// Sets the word `offset` bytes into the transport header.
    pub(crate) fn set_transport(&mut self, offset: usize, word: u16) {
        let at = self.transport + offset;
        self.amend(self.checksum, at, word);
        self.set(at, word);
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn set(&mut self, at: usize, word: u16) {
        self.bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
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

#[cfg(test)]
mod tests {
    use hep_tests::{address::Net, packet};

    use super::*;

    #[test]
    fn a_changed_frame_is_that_of_the_changed_packet() {
        for net in Net::both() {
            let datagram = |source| packet::udp(source, net.host).dport(7000).sport(77);
            let mut frame = Frame::of(&datagram(net.peer), 6, true);
            frame.set_source(net.client);
            frame.set_transport(0, 4711);
            let wanted = datagram(net.client)
                .sport(4711)
                .ethernet(OUTSIDE_MAC, HOST_MAC)
                .frame();
            assert_eq!(frame.bytes(), wanted, "{}", net.host);
        }
    }
}
