//! Real traffic through real sockets, and how far it got.

mod servers;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use self::servers::Servers;
pub use crate::connection::{Connection, connect, listen};
use crate::{eventually, namespace::once_free, packet, topology::Topology};

/// How long something that should get through may take, on a machine that may be busy or emulated.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long something that should not get through is waited for.
pub const SILENCE: Duration = Duration::from_millis(300);
/// How often a waiting server looks whether it is still needed.
const TICK: Duration = Duration::from_millis(20);
/// Payload of probes.
const GREETING: &[u8] = b"hep probe";

/// How far a probe got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// Neither the request nor an answer.
    Nothing,
    /// The request arrived, the answer did not come back (only UDP shows this).
    Request,
    /// The answer came back.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tcp,
    Udp,
    Ping,
}

/// A question from one address to another.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    kind: Kind,
    from: SocketAddr,
    to: SocketAddr,
    server: SocketAddr,
    payload_bytes: usize,
}

/// Opens a TCP connection and sends a line back and forth.
#[must_use]
pub fn tcp(from: IpAddr, to: IpAddr, port: u16) -> Probe {
    Probe::new(Kind::Tcp, from, to, port)
}

/// Sends a datagram and waits for its echo.
#[must_use]
pub fn udp(from: IpAddr, to: IpAddr, port: u16) -> Probe {
    Probe::new(Kind::Udp, from, to, port)
}

/// Sends an ICMP or ICMPv6 echo request with this identifier.
#[must_use]
pub fn ping(from: IpAddr, to: IpAddr, identifier: u16) -> Probe {
    Probe::new(Kind::Ping, from, to, 0).sport(identifier)
}

impl Probe {
    fn new(kind: Kind, from: IpAddr, to: IpAddr, port: u16) -> Self {
        Self {
            kind,
            from: SocketAddr::new(from, 0),
            to: SocketAddr::new(to, port),
            server: SocketAddr::new(to, port),
            payload_bytes: GREETING.len(),
        }
    }

    /// Uses this source port.
    #[must_use]
    pub fn sport(mut self, port: u16) -> Self {
        self.from.set_port(port);
        self
    }

    /// Sets another address for the server than the one the probe goes to: translation is on the way.
    #[must_use]
    pub fn served_at(mut self, address: IpAddr, port: u16) -> Self {
        self.server = SocketAddr::new(address, port);
        self
    }

    /// Sends this many bytes; a datagram larger than the link's MTU is sent in fragments.
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        self.payload_bytes = bytes;
        self
    }

    /// A short name for messages.
    fn label(&self) -> String {
        format!("{:?} {} → {}", self.kind, self.from, self.to)
    }

    /// Sends from the current namespace; whether the answer arrived in time.
    fn ask(&self, limit: Duration) -> std::io::Result<bool> {
        match self.kind {
            Kind::Tcp => self.ask_tcp(limit),
            Kind::Udp => self.ask_udp(limit),
            Kind::Ping => self.ask_ping(limit),
        }
    }

    fn ask_tcp(&self, limit: Duration) -> std::io::Result<bool> {
        let socket = Socket::new(Domain::for_address(self.to), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        once_free(|| socket.bind(&self.from.into()))?;
        if let Err(error) = socket.connect_timeout(&self.to.into(), limit) {
            return if error.kind() == ErrorKind::TimedOut || error.raw_os_error() == Some(110) {
                Ok(false)
            } else {
                Err(error)
            };
        }
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(limit))?;
        let message = vec![b'h'; self.payload_bytes];
        stream.write_all(&message)?;
        let mut answer = vec![0; self.payload_bytes];
        timely(stream.read_exact(&mut answer))
    }

    fn ask_udp(&self, limit: Duration) -> std::io::Result<bool> {
        let socket = once_free(|| UdpSocket::bind(self.from))?;
        socket.connect(self.to)?;
        socket.set_read_timeout(Some(limit))?;
        match socket.send(&vec![b'h'; self.payload_bytes]) {
            // The egress program drops: the kernel tells some senders so.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(false),
            result => result?,
        };
        let mut answer = vec![0; self.payload_bytes + 1];
        timely(uninterrupted(|| socket.recv(&mut answer)).map(|_length| ()))
    }

    fn ask_ping(&self, limit: Duration) -> std::io::Result<bool> {
        let (domain, protocol) = match self.to {
            SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        once_free(|| socket.bind(&self.from.into()))?;
        socket.set_read_timeout(Some(limit))?;
        let request =
            packet::echo_request(self.from.ip(), self.to.ip(), self.from.port()).payload(16);
        let header_bytes = if self.to.is_ipv4() { 20 } else { 40 };
        let message = &request.datagram()[header_bytes..];
        match socket.send_to(message, &SockAddr::from(self.to)) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(false),
            result => result?,
        };
        let mut answer = [MaybeUninit::uninit(); 256];
        timely(uninterrupted(|| socket.recv(&mut answer)).map(|_length| ()))
    }
}

/// Calls again what a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Turns a timeout into `false`.
fn timely(result: std::io::Result<()>) -> std::io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

impl Topology {
    /// Sends all probes at once and compares how far each got.
    ///
    /// # Panics
    ///
    /// If a probe did not get exactly as far as expected, with all that did.
    #[track_caller]
    pub fn expect(&self, what: &str, probes: &[(Probe, Heard)]) {
        let servers = Servers::open(self, probes);
        let heard: Vec<Heard> = thread::scope(|scope| {
            let serving = scope.spawn(|| servers.serve());
            let clients: Vec<_> = probes
                .iter()
                .map(|(probe, wanted)| {
                    scope.spawn(|| {
                        let limit = if *wanted == Heard::Answer {
                            PATIENCE
                        } else {
                            SILENCE
                        };
                        let answered = self.owner(probe.from.ip()).run(|| {
                            probe
                                .ask(limit)
                                .unwrap_or_else(|error| panic!("{}: {error}", probe.label()))
                        });
                        if *wanted == Heard::Request {
                            eventually(PATIENCE, || servers.saw(probe));
                        }
                        answered
                    })
                })
                .collect();
            let answered: Vec<bool> = clients
                .into_iter()
                .map(|client| {
                    client
                        .join()
                        .unwrap_or_else(|e| std::panic::resume_unwind(e))
                })
                .collect();
            servers.done.store(true, Ordering::Relaxed);
            serving.join().expect("servers do not panic");
            probes
                .iter()
                .zip(answered)
                .map(
                    |((probe, _), answered)| match (answered, servers.saw(probe)) {
                        (true, _) => Heard::Answer,
                        (false, true) => Heard::Request,
                        (false, false) => Heard::Nothing,
                    },
                )
                .collect()
        });
        let differences: Vec<String> = probes
            .iter()
            .zip(heard)
            .filter(|((_, wanted), heard)| wanted != heard)
            .map(|((probe, wanted), heard)| {
                format!("{}: expected {wanted:?}, heard {heard:?}", probe.label())
            })
            .collect();
        assert!(differences.is_empty(), "{what}: {differences:#?}");
    }

    /// Sends all probes at once, and expects the same of each.
    ///
    /// # Panics
    ///
    /// If a probe did not get exactly as far as expected, with all that did.
    #[track_caller]
    pub fn expect_all(&self, what: &str, heard: Heard, probes: &[Probe]) {
        let probes: Vec<_> = probes.iter().map(|probe| (*probe, heard)).collect();
        self.expect(what, &probes);
    }
}

/// Repeats a TCP connect every few milliseconds until it does what is wanted; how long it took.
#[must_use]
pub fn time_until(
    topology: &Topology,
    from: IpAddr,
    to: IpAddr,
    port: u16,
    open: bool,
) -> Duration {
    let target = SocketAddr::new(to, port);
    let listener = topology.owner(to).bind(|| TcpListener::bind(target));
    listener.set_nonblocking(true).expect("set non-blocking");
    let start = Instant::now();
    topology.owner(from).run(|| {
        while start.elapsed() < PATIENCE {
            let socket =
                Socket::new(Domain::for_address(target), Type::STREAM, None).expect("a socket");
            socket
                .bind(&SocketAddr::new(from, 0).into())
                .expect("bind the source");
            let connected = socket
                .connect_timeout(&target.into(), Duration::from_millis(50))
                .is_ok();
            if connected == open {
                break;
            }
            // A full queue of connections would look like a closed port.
            while listener.accept().is_ok() {}
            thread::sleep(Duration::from_millis(2));
        }
    });
    start.elapsed()
}
