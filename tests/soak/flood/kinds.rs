//! Packets that claim a place in the tables of flows, by kind, and their sources.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::ValueEnum;
use hep_tests::{
    address::Net,
    packet::{self, ACK, FIN, RST},
};

use crate::frames::Frame;

/// The allowed port of both protocols that has a server.
pub(super) const PORT: u16 = 7000;
/// The first of the allowed TCP ports without a listener.
pub(super) const CLOSED_PORT: u16 = 9000;
/// How many of these there are.
pub(super) const CLOSED_PORTS: u16 = 1000;

/// The lowest source port of a flow.
const FIRST_PORT: u16 = 1024;
/// Source ports from that on.
const SOURCE_PORTS: u64 = 64_512;

/// A kind of flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A SYN to a closed port, which the host answers by RST
    SynClosed,
    /// A SYN to an open port, which the host answers by SYN+ACK
    SynOpen,
    /// A bare ACK, which the host answers by RST
    Ack,
    /// Two echo requests, answered
    TwoEchoes,
    /// Two datagrams, which a process answers
    TwoDatagrams,
    /// Three datagrams, which a process answers
    ThreeDatagrams,
    /// A RST as the first packet
    Rst,
    /// A FIN as the first packet
    Fin,
    /// All of these
    Mixed,
}

impl Kind {
    const PLAIN: [Self; 8] = [
        Self::SynClosed,
        Self::SynOpen,
        Self::Ack,
        Self::TwoEchoes,
        Self::TwoDatagrams,
        Self::ThreeDatagrams,
        Self::Rst,
        Self::Fin,
    ];

    /// The kinds that this one is a mixture of.
    pub(super) fn parts(self) -> Vec<Self> {
        if self == Self::Mixed {
            Self::PLAIN.to_vec()
        } else {
            vec![self]
        }
    }

    /// Whether a process answers it.
    pub(super) fn is_served(self) -> bool {
        matches!(self, Self::TwoDatagrams | Self::ThreeDatagrams)
    }

    /// Packets of one flow.
    pub(super) fn packets(self) -> usize {
        match self {
            Self::TwoEchoes | Self::TwoDatagrams => 2,
            Self::ThreeDatagrams => 3,
            Self::SynClosed | Self::SynOpen | Self::Ack | Self::Rst | Self::Fin | Self::Mixed => 1,
        }
    }

    /// The frame of one packet.
    fn frame(self, net: &Net) -> Frame {
        let source = Source::One.address(net, 0);
        let tcp = |flags| {
            let segment = packet::tcp(source, net.host).dport(CLOSED_PORT);
            Frame::of(&segment.flags(flags).numbers(1000, 2000), 16, true)
        };
        match self {
            Self::SynClosed => {
                Frame::of(&packet::tcp(source, net.host).dport(CLOSED_PORT), 16, true)
            }
            Self::SynOpen => Frame::of(&packet::tcp(source, net.host).dport(PORT), 16, true),
            Self::Ack => tcp(ACK),
            Self::Rst => tcp(RST),
            Self::Fin => tcp(FIN | ACK),
            Self::TwoEchoes => Frame::of(
                &packet::echo_request(source, net.host, 0),
                2,
                !source.is_ipv4(),
            ),
            Self::TwoDatagrams | Self::ThreeDatagrams => {
                Frame::of(&packet::udp(source, net.host).dport(PORT), 6, true)
            }
            Self::Mixed => unreachable!("only plain kinds have frames"),
        }
    }
}

/// Source of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Source {
    /// Any address, spoofed
    Anywhere,
    /// One host: one IPv4 address, and any address of an IPv6 /64
    One,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::One => "one host",
        }
    }

    /// The source address of flow `number`.
    fn address(self, net: &Net, number: u64) -> IpAddr {
        let scattered = scatter(number);
        match (self, net.host) {
            (Self::One, IpAddr::V4(_)) => Ipv4Addr::new(198, 18, 0, 1).into(),
            (Self::One, IpAddr::V6(_)) => {
                let subnet = 0x2001_0db8_0005_0000_u128 << 64;
                Ipv6Addr::from(subnet | u128::from(scattered)).into()
            }
            (Self::Anywhere, IpAddr::V4(_)) => {
                let [a, b, c, d, ..] = scattered.to_be_bytes();
                // Not what the kernel takes from nobody, nor the networks of the topology.
                let is_special = matches!(a, 0 | 10 | 127 | 192 | 198 | 203 | 224..);
                Ipv4Addr::new(if is_special { 45 } else { a }, b, c, d).into()
            }
            (Self::Anywhere, IpAddr::V6(_)) => {
                let lower = u128::from(scatter(!number));
                let upper = 0x2a00_u128 << 112 | u128::from(scattered >> 16) << 64;
                Ipv6Addr::from(upper | lower).into()
            }
        }
    }

    /// Source port and which destination port of flow `number`.
    fn ports(self, number: u64) -> (u16, u64) {
        let (source, destination) = match self {
            Self::One => (number % SOURCE_PORTS, number / SOURCE_PORTS),
            Self::Anywhere => (scatter(number) % SOURCE_PORTS, number),
        };
        let source = u16::try_from(source).expect("a port");
        (FIRST_PORT + source, destination)
    }
}

/// Another number for each, without order.
const fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ mixed >> 31
}

/// Frames of flows of one plain kind from one source, both families in turn.
pub(super) struct Flows {
    kind: Kind,
    source: Source,
    nets: [(Net, Frame); 2],
    /// Flows of other kinds have other numbers, and so other ends.
    first: u64,
}

impl Flows {
    pub(super) fn new(kind: Kind, source: Source) -> Self {
        Self {
            kind,
            source,
            first: (kind as u64) << 40,
            nets: Net::both().map(|net| (net, kind.frame(&net))),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The frame of a packet of flow `number`.
    pub(super) fn frame(&mut self, number: u64) -> &[u8] {
        let (net, frame) = &mut self.nets[usize::from(number % 2 == 1)];
        let number = self.first + number / 2;
        frame.set_source(self.source.address(net, number));
        let (source_port, destination) = self.source.ports(number);
        match self.kind {
            Kind::TwoEchoes => frame.set_transport(4, source_port),
            Kind::SynClosed | Kind::Ack | Kind::Rst | Kind::Fin => {
                frame.set_transport(0, source_port);
                let offset = u16::try_from(destination % u64::from(CLOSED_PORTS)).expect("a port");
                frame.set_transport(2, CLOSED_PORT + offset);
            }
            Kind::SynOpen | Kind::TwoDatagrams | Kind::ThreeDatagrams | Kind::Mixed => {
                frame.set_transport(0, source_port);
            }
        }
        frame.bytes()
    }
}
