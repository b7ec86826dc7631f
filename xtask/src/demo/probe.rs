//! One packet's worth of curiosity: does this address answer that one?

use std::{
    fmt,
    io::{Read, Write},
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use super::namespace;

/// How long an answer may take; on a veth it takes well under a millisecond.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);
/// Payload of every probe.
const PAYLOAD: &[u8] = b"hep-demo";
/// Identifier of the echo requests.
const IDENTIFIER: u16 = 0x6870;

/// Kind of probe, and the port it goes to, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// A connection to a port.
    Tcp(u16),
    /// A datagram to a port.
    Udp(u16),
    /// An ICMP or ICMPv6 echo request.
    Ping,
}

/// Where policy meets the probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hook {
    pub(crate) interface: &'static str,
    pub(crate) direction: &'static str,
}

/// One probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// Client and service, in words.
    pub(crate) what: &'static str,
    /// The namespaces.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) traffic: Traffic,
    /// Every hook on its way, in order: two where the host forwards it.
    pub(crate) hooks: &'static [Hook],
}

impl Probe {
    /// The protocol's name.
    pub(crate) fn protocol(&self) -> &'static str {
        match (self.traffic, self.destination) {
            (Traffic::Tcp(_), _) => "tcp",
            (Traffic::Udp(_), _) => "udp",
            (Traffic::Ping, IpAddr::V4(_)) => "icmp",
            (Traffic::Ping, IpAddr::V6(_)) => "icmpv6",
        }
    }

    /// The server that has to be there.
    pub(crate) fn service(&self) -> Option<SocketAddr> {
        match self.traffic {
            Traffic::Tcp(port) | Traffic::Udp(port) => {
                Some(SocketAddr::new(self.destination, port))
            }
            Traffic::Ping => None,
        }
    }

    /// Whether the host routes it.
    pub(crate) fn is_forwarded(&self) -> bool {
        self.hooks.len() > 1
    }

    /// Sends it and returns whether it was answered.
    ///
    /// # Errors
    ///
    /// If it cannot even be tried.
    pub(crate) fn is_answered(&self) -> Result<bool> {
        namespace::inside(self.from, || match self.traffic {
            Traffic::Tcp(port) => tcp(self.source, SocketAddr::new(self.destination, port)),
            Traffic::Udp(port) => udp(self.source, SocketAddr::new(self.destination, port)),
            Traffic::Ping => ping(self.source, self.destination),
        })
        .with_context(|| format!("probe {self}"))
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} ", self.what, self.protocol())?;
        match self.service() {
            Some(service) => write!(out, "{} → {service}", self.source),
            None => write!(out, "{} → {}", self.source, self.destination),
        }
    }
}

/// A connection from an address; it is connected, or refused, or nothing answers.
///
/// # Errors
///
/// If there is no such address, or no more sockets.
pub(crate) fn connect(
    source: IpAddr,
    service: SocketAddr,
    patience: Duration,
) -> Result<Option<Socket>> {
    let socket = Socket::new(
        Domain::for_address(service),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.set_read_timeout(Some(patience))?;
    let connected = socket.connect_timeout(&service.into(), patience);
    Ok(connected.is_ok().then_some(socket))
}

fn tcp(source: IpAddr, service: SocketAddr) -> Result<bool> {
    match connect(source, service, PATIENCE)? {
        Some(mut connection) => Ok(is_echoed(&mut connection)),
        None => Ok(false),
    }
}

/// Whether the other end of a connection returns what it is sent.
pub(crate) fn is_echoed(connection: &mut Socket) -> bool {
    let mut answer = [0; PAYLOAD.len()];
    connection.write_all(PAYLOAD).is_ok() && connection.read_exact(&mut answer).is_ok()
}

fn udp(source: IpAddr, service: SocketAddr) -> Result<bool> {
    let socket = Socket::new(
        Domain::for_address(service),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect(&service.into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // A packet that the host's own egress policy drops is an error here.
    if socket.send(PAYLOAD).is_err() {
        return Ok(false);
    }
    let mut buffer = [MaybeUninit::uninit(); 64];
    Ok(socket.recv(&mut buffer).is_ok())
}

fn ping(source: IpAddr, destination: IpAddr) -> Result<bool> {
    let end = SocketAddr::new(destination, 0);
    let (protocol, request, reply) = match destination {
        IpAddr::V4(_) => (Protocol::ICMPV4, 8, 0),
        IpAddr::V6(_) => (Protocol::ICMPV6, 128, 129),
    };
    let mut socket = Socket::new(Domain::for_address(end), Type::RAW, Some(protocol))?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect(&end.into())?;
    if socket.send(&echo_request(request)).is_err() {
        return Ok(false);
    }
    let until = Instant::now() + PATIENCE;
    let mut buffer = [0; 256];
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let Ok(length) = socket.read(&mut buffer) else {
            break;
        };
        // An IPv4 raw socket shows the IP header too, whose first byte holds its length in words.
        let header = match destination {
            IpAddr::V4(_) => usize::from(buffer[0] & 0x0f) * 4,
            IpAddr::V6(_) => 0,
        };
        let message = buffer[..length].get(header..).unwrap_or_default();
        if message.len() >= 6 && message[0] == reply && message[4..6] == IDENTIFIER.to_be_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An echo request with its checksum; the kernel recomputes it for ICMPv6 only.
fn echo_request(kind: u8) -> Vec<u8> {
    let [id_high, id_low] = IDENTIFIER.to_be_bytes();
    let mut message = vec![kind, 0, 0, 0, id_high, id_low, 0, 1];
    message.extend_from_slice(PAYLOAD);
    let sum: u32 = message
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::{PAYLOAD, echo_request};

    #[test]
    fn an_echo_request_sums_up_to_all_ones() {
        assert_eq!(PAYLOAD.len() % 2, 0, "the sum is made of pairs");
        let sum: u32 = echo_request(8)
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
