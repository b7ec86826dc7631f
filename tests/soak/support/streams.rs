//! Datagrams with numbers; each must pass, or must not.
//!
//! A stream is one way through the host (in, out, or through it), one family, and one verdict. Its packets
//! are either of one flow, or each of a flow of its own, so that both the connection table and the rules
//! are used all the time.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use hep_tests::{
    address::Net,
    link::Link,
    packet,
    topology::{HOST_MAC, OUTSIDE_MAC, Topology},
};
use socket2::{Domain, Protocol, Socket, Type};

/// First port of streams that policy allows; every stream has its own.
pub(crate) const ALLOWED_PORTS: u16 = 7000;
/// First port of streams that policy denies.
pub(crate) const DENIED_PORTS: u16 = 7500;
/// Ports of either kind.
pub(crate) const PORTS: u16 = 100;

/// Room for packets that wait for the reader; the machine may be busy for seconds.
const BUFFER_BYTES: usize = 64 << 20;
/// Payload of a frame: number, its complement, complement of the source port, complement of zero.
/// Numbers and ports change, and the checksum stays.
const NUMBERED_BYTES: usize = 20;

/// A way through the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the host.
    In,
    /// From the host.
    Out,
    /// Forwarded.
    Through,
}

/// Properties of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) way: Way,
    pub(crate) is_v4: bool,
    /// Every packet is of a flow of its own.
    pub(crate) is_fresh: bool,
    pub(crate) is_allowed: bool,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?} IPv{} {}",
            if self.is_allowed { "allowed" } else { "denied" },
            self.way,
            if self.is_v4 { 4 } else { 6 },
            if self.is_fresh { "flows" } else { "flow" }
        )
    }
}

/// A stream with both of its ends.
pub(crate) struct Stream {
    pub(crate) kind: Kind,
    source: Source,
    sink: UdpSocket,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Bit by number: arrived.
    seen: Vec<u64>,
    pub(crate) duplicates: u64,
}

enum Source {
    Flow(UdpSocket),
    Flows { link: Link, frame: Vec<u8> },
}

/// All streams there are between the machines of a topology.
pub(crate) fn all(topology: &Topology) -> Vec<Stream> {
    let mut streams = Vec::new();
    let mut number = 0;
    for way in [Way::In, Way::Out, Way::Through] {
        for is_v4 in [true, false] {
            for is_fresh in [false, true] {
                for is_allowed in [true, false] {
                    let kind = Kind {
                        way,
                        is_v4,
                        is_fresh,
                        is_allowed,
                    };
                    streams.push(Stream::open(topology, kind, number));
                    number += 1;
                }
            }
        }
    }
    streams
}

impl Stream {
    fn open(topology: &Topology, kind: Kind, number: u16) -> Self {
        let net = Net::both()[usize::from(!kind.is_v4)];
        let (from, to) = match kind.way {
            Way::In => (net.client, net.host),
            Way::Out => (net.host, net.client),
            Way::Through => (net.client, net.inner),
        };
        let port = number
            + if kind.is_allowed {
                ALLOWED_PORTS
            } else {
                DENIED_PORTS
            };
        let sink = topology
            .owner(to)
            .run(|| socket(to, port))
            .unwrap_or_else(|error| {
                panic!("{kind}: receive at {to}: {error}");
            });
        let source = if kind.is_fresh {
            let (from_mac, to_mac) = match kind.way {
                Way::Out => (HOST_MAC, OUTSIDE_MAC),
                Way::In | Way::Through => (OUTSIDE_MAC, HOST_MAC),
            };
            let mut numbered = [0; NUMBERED_BYTES];
            numbered[8..].fill(0xff);
            Source::Flows {
                link: Link::open(topology.owner(from), "eth0"),
                frame: packet::udp(from, to)
                    .sport(0)
                    .dport(port)
                    .payload_bytes(&numbered)
                    .ethernet(from_mac, to_mac)
                    .frame(),
            }
        } else {
            let socket = topology.owner(from).run(|| {
                let socket = socket(from, 0)?;
                socket.connect(SocketAddr::new(to, port))?;
                Ok::<_, io::Error>(socket)
            });
            Source::Flow(socket.unwrap_or_else(|error| panic!("{kind}: send from {from}: {error}")))
        };
        Self {
            kind,
            source,
            sink,
            sent: 0,
            received: 0,
            seen: Vec::new(),
            duplicates: 0,
        }
    }

    /// Sends the next packet; whether the kernel took it.
    pub(crate) fn send(&mut self) -> bool {
        let number = self.sent;
        let is_taken = match &mut self.source {
            Source::Flow(socket) => {
                // A program at egress that drops is heard of here by some kernels.
                socket.send(&number.to_be_bytes()).is_ok() || !self.kind.is_allowed
            }
            Source::Flows { link, frame } => {
                let length = frame.len();
                let ports = length - NUMBERED_BYTES - 8;
                let port = 1024 + u16::try_from(number % 60_000).expect("is less than 60000");
                frame[ports..ports + 2].copy_from_slice(&port.to_be_bytes());
                let numbered = &mut frame[length - NUMBERED_BYTES..];
                numbered[..8].copy_from_slice(&number.to_be_bytes());
                numbered[8..16].copy_from_slice(&(!number).to_be_bytes());
                numbered[16..18].copy_from_slice(&(!port).to_be_bytes());
                link.send(frame);
                true
            }
        };
        self.sent += u64::from(is_taken);
        is_taken
    }

    /// Takes what has arrived; whether anything had.
    pub(crate) fn receive(&mut self) -> bool {
        let mut buffer = [0; 64];
        let mut is_any = false;
        while let Ok((_length, from)) = self.sink.recv_from(&mut buffer) {
            is_any = true;
            let mut number = [0; 8];
            number.copy_from_slice(&buffer[..8]);
            let number = u64::from_be_bytes(number);
            // The answer makes it a flow of both directions.
            if !self.kind.is_fresh && number.is_multiple_of(64) {
                drop(self.sink.send_to(&[0], from));
            }
            self.note(number);
        }
        if let Source::Flow(socket) = &self.source {
            while socket.recv(&mut buffer).is_ok() {}
        }
        is_any
    }

    fn note(&mut self, number: u64) {
        let (word, bit) = (
            usize::try_from(number / 64).expect("packets fit into memory"),
            1_u64 << (number % 64),
        );
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.received += 1;
        } else {
            self.duplicates += 1;
        }
    }

    /// The numbers that did not arrive, as ranges.
    pub(crate) fn gaps(&self) -> Vec<(u64, u64)> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        for number in 0..self.sent {
            let word = usize::try_from(number / 64).expect("packets fit into memory");
            if self
                .seen
                .get(word)
                .is_some_and(|seen| seen >> (number % 64) & 1 == 1)
            {
                continue;
            }
            match gaps.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => gaps.push((number, number)),
            }
        }
        gaps
    }
}

/// A socket with much room that never waits.
pub(crate) fn socket(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::RcvBufForce,
        &BUFFER_BYTES,
    )?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}
