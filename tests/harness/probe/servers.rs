//! Servers that answer probes.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Heard, Kind, Probe, TICK};
use crate::topology::Topology;

/// The echo servers that a set of probes needs.
pub(super) struct Servers {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
    seen: Mutex<BTreeSet<(Kind, SocketAddr, SocketAddr)>>,
    pub(super) done: AtomicBool,
}

impl Servers {
    pub(super) fn open(topology: &Topology, probes: &[(Probe, Heard)]) -> Self {
        let wanted: BTreeSet<_> = probes
            .iter()
            .map(|(probe, _)| (probe.kind, probe.server))
            .collect();
        let mut servers = Self {
            tcp: Vec::new(),
            udp: Vec::new(),
            seen: Mutex::default(),
            done: AtomicBool::new(false),
        };
        for (kind, address) in wanted {
            let namespace = topology.owner(address.ip());
            match kind {
                Kind::Tcp => {
                    let listener = namespace.bind(|| TcpListener::bind(address));
                    listener.set_nonblocking(true).expect("set non-blocking");
                    servers.tcp.push(listener);
                }
                Kind::Udp => {
                    let socket = namespace.bind(|| UdpSocket::bind(address));
                    socket.set_read_timeout(Some(TICK)).expect("set a timeout");
                    servers.udp.push(socket);
                }
                Kind::Ping => {}
            }
        }
        servers
    }

    pub(super) fn serve(&self) {
        thread::scope(|scope| {
            for listener in &self.tcp {
                scope.spawn(|| self.serve_tcp(listener));
            }
            for socket in &self.udp {
                scope.spawn(|| self.serve_udp(socket));
            }
        });
    }

    fn serve_tcp(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            while !self.done.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        scope.spawn(|| self.echo(stream));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let here = socket.local_addr().expect("a bound socket has an address");
        let mut buffer = vec![0; 65_536];
        while !self.done.load(Ordering::Relaxed) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                self.seen
                    .lock()
                    .expect("servers do not panic")
                    .insert((Kind::Udp, from, here));
                // A refused answer is what some tests are about.
                drop(socket.send_to(&buffer[..length], from));
            }
        }
    }

    /// Sends everything back until the other end closes, or the test is over.
    fn echo(&self, mut stream: TcpStream) {
        if stream.set_nonblocking(false).is_err() || stream.set_read_timeout(Some(TICK)).is_err() {
            return;
        }
        let mut buffer = vec![0; 65_536];
        loop {
            match stream.read(&mut buffer) {
                Ok(length @ 1..) if stream.write_all(&buffer[..length]).is_ok() => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.done.load(Ordering::Relaxed) {
                        return;
                    }
                }
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Whether the request of this probe arrived.
    pub(super) fn saw(&self, probe: &Probe) -> bool {
        let seen = self.seen.lock().expect("servers do not panic");
        seen.iter().any(|(kind, from, to)| {
            *kind == probe.kind
                && *to == probe.server
                && from.ip() == probe.from.ip()
                && (probe.from.port() == 0 || from.port() == probe.from.port())
        })
    }
}
