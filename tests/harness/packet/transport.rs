//! The headers and payloads that follow the IP header.

use std::net::IpAddr;

use super::{DESTINATION_PORT, SOURCE_PORT, checksum};

/// TCP flag FIN.
pub const FIN: u8 = 0x01;
/// TCP flag SYN.
pub const SYN: u8 = 0x02;
/// TCP flag RST.
pub const RST: u8 = 0x04;
/// TCP flag PSH.
pub const PSH: u8 = 0x08;
/// TCP flag ACK.
pub const ACK: u8 = 0x10;

/// Fill of payloads.
const FILL: u8 = b'h';

/// Transport header and payload.
#[derive(Clone, Debug)]
pub struct Transport {
    kind: Kind,
    source_port: u16,
    destination_port: u16,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tcp {
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
    },
    Udp,
    Sctp {
        chunk: u8,
    },
    Icmp {
        kind: u8,
        code: u8,
    },
    /// Ports, and 8 bytes that nothing reads: UDP-Lite, DCCP.
    Ports,
    Opaque,
}

impl Kind {
    /// Offset of the checksum that is computed; none for headers without one, and for SCTP.
    fn checksum_at(self) -> Option<usize> {
        match self {
            Self::Tcp { .. } => Some(16),
            Self::Udp => Some(6),
            Self::Icmp { .. } => Some(2),
            Self::Sctp { .. } | Self::Ports | Self::Opaque => None,
        }
    }
}

impl Transport {
    fn new(kind: Kind, payload_bytes: usize) -> Self {
        Self {
            kind,
            source_port: SOURCE_PORT,
            destination_port: DESTINATION_PORT,
            payload: vec![FILL; payload_bytes],
        }
    }

    pub(super) fn tcp() -> Self {
        let kind = Kind::Tcp {
            flags: SYN,
            sequence: 1,
            acknowledgement: 0,
        };
        Self::new(kind, 0)
    }

    pub(super) fn udp() -> Self {
        Self::new(Kind::Udp, 8)
    }

    pub(super) fn sctp() -> Self {
        Self::new(Kind::Sctp { chunk: 1 }, 16)
    }

    pub(super) fn icmp(kind: u8, code: u8) -> Self {
        let mut transport = Self::new(Kind::Icmp { kind, code }, 0);
        transport.source_port = 0;
        transport.destination_port = 0;
        transport
    }

    pub(super) fn ports() -> Self {
        Self::new(Kind::Ports, 0)
    }

    pub(super) fn opaque(bytes: usize) -> Self {
        Self::new(Kind::Opaque, bytes)
    }

    pub(super) fn set_source_port(&mut self, port: u16) {
        self.source_port = port;
    }

    pub(super) fn set_destination_port(&mut self, port: u16) {
        self.destination_port = port;
    }

    pub(super) fn set_flags(&mut self, new: u8) {
        match &mut self.kind {
            Kind::Tcp { flags, .. } => *flags = new,
            Kind::Udp | Kind::Sctp { .. } | Kind::Icmp { .. } | Kind::Ports | Kind::Opaque => {
                panic!("only TCP has flags")
            }
        }
    }

    pub(super) fn set_numbers(&mut self, new_sequence: u32, new_acknowledgement: u32) {
        match &mut self.kind {
            Kind::Tcp {
                sequence,
                acknowledgement,
                ..
            } => (*sequence, *acknowledgement) = (new_sequence, new_acknowledgement),
            Kind::Udp | Kind::Sctp { .. } | Kind::Icmp { .. } | Kind::Ports | Kind::Opaque => {
                panic!("only TCP has sequence numbers")
            }
        }
    }

    pub(super) fn set_chunk(&mut self, new: u8) {
        match &mut self.kind {
            Kind::Sctp { chunk } => *chunk = new,
            Kind::Tcp { .. } | Kind::Udp | Kind::Icmp { .. } | Kind::Ports | Kind::Opaque => {
                panic!("only SCTP has chunks")
            }
        }
    }

    pub(super) fn set_payload(&mut self, bytes: usize) {
        self.payload = vec![FILL; bytes];
    }

    pub(super) fn set_payload_bytes(&mut self, payload: Vec<u8>) {
        self.payload = payload;
    }

    /// Exchanges the ports; an ICMP identifier stays.
    pub(super) fn swap_ports(&mut self) {
        if !matches!(self.kind, Kind::Icmp { .. }) {
            std::mem::swap(&mut self.source_port, &mut self.destination_port);
        }
    }

    /// Header and payload with the checksum, except SCTP's, which nothing here reads.
    pub(super) fn bytes(&self, source: IpAddr, destination: IpAddr, protocol: u8) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.extend(&self.payload);
        if let Some(at) = self.kind.checksum_at() {
            let pseudo = if protocol == 1 {
                Vec::new()
            } else {
                checksum::pseudo_header(source, destination, protocol, bytes.len())
            };
            let mut sum = checksum::internet(&[&pseudo, &bytes]);
            if sum == 0 && matches!(self.kind, Kind::Udp) {
                // 0 says that there is none, which IPv6 does not accept.
                sum = u16::MAX;
            }
            bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }

    /// Header with a checksum of 0.
    fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let [a, b] = self.source_port.to_be_bytes();
        let [c, d] = self.destination_port.to_be_bytes();
        let ports = [a, b, c, d];
        match self.kind {
            Kind::Tcp {
                flags,
                sequence,
                acknowledgement,
            } => {
                bytes.extend(ports);
                bytes.extend(sequence.to_be_bytes());
                bytes.extend(acknowledgement.to_be_bytes());
                bytes.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
            }
            Kind::Udp => {
                bytes.extend(ports);
                let length = u16::try_from(8 + self.payload.len()).expect("the datagram fits");
                bytes.extend(length.to_be_bytes());
                bytes.extend([0, 0]);
            }
            Kind::Sctp { chunk } => {
                bytes.extend(ports);
                bytes.extend([0; 8]);
                let length = u16::try_from(4 + self.payload.len()).expect("the chunk fits");
                bytes.extend([chunk, 0]);
                bytes.extend(length.to_be_bytes());
            }
            Kind::Icmp { kind, code } => {
                bytes.extend([kind, code, 0, 0]);
                bytes.extend(ports);
            }
            Kind::Ports => {
                bytes.extend(ports);
                bytes.extend([0; 8]);
            }
            Kind::Opaque => {}
        }
        bytes
    }
}
