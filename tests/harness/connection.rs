//! Connections that stay open.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{probe::PATIENCE, topology::Topology};

/// A connection that stays open while policies change.
#[derive(Debug)]
pub struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    /// Opens one.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    #[must_use]
    pub fn open(topology: &Topology, from: IpAddr, to: IpAddr, port: u16) -> Self {
        Self::accepted_by(&listen(topology, to, port), topology, from)
    }

    /// Opens one to a listener, which stays open.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    #[must_use]
    pub fn accepted_by(listener: &TcpListener, topology: &Topology, from: IpAddr) -> Self {
        let to = listener.local_addr().expect("a listener has an address");
        Self::through(listener, topology, from, to)
    }

    /// Opens one to an address that leads to a listener.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    #[must_use]
    pub fn through(
        listener: &TcpListener,
        topology: &Topology,
        from: IpAddr,
        to: SocketAddr,
    ) -> Self {
        let client = topology.owner(from).run(|| connect(from, to));
        let client = client.unwrap_or_else(|error| panic!("connect {from} → {to}: {error}"));
        let (server, _) = listener.accept().expect("the connection is established");
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("set no delay");
        }
        Self { client, server }
    }

    /// Both ends: the client's, and the server's.
    #[must_use]
    pub fn into_ends(self) -> [TcpStream; 2] {
        [self.client, self.server]
    }

    /// The client's port.
    ///
    /// # Panics
    ///
    /// Never: a connected socket has an address.
    #[must_use]
    pub fn client_port(&self) -> u16 {
        self.client
            .local_addr()
            .expect("a connected socket has an address")
            .port()
    }

    /// Closes the client's sending side; whether the server sees the end within `limit`.
    ///
    /// # Panics
    ///
    /// Never: a connected socket takes a timeout.
    #[must_use]
    pub fn ends(&mut self, limit: Duration) -> bool {
        self.server
            .set_read_timeout(Some(limit))
            .expect("set a timeout");
        self.client.shutdown(Shutdown::Write).is_ok()
            && self.server.read(&mut [0]).is_ok_and(|length| length == 0)
    }

    /// Whether a byte gets from the client to the server within `limit`.
    #[must_use]
    pub fn forth(&mut self, limit: Duration) -> bool {
        carry(&mut self.client, &mut self.server, limit)
    }

    /// Whether a byte gets from the server to the client within `limit`.
    #[must_use]
    pub fn back(&mut self, limit: Duration) -> bool {
        carry(&mut self.server, &mut self.client, limit)
    }
}

/// Connects from an address of this thread's namespace.
///
/// # Errors
///
/// The kernel's error, or a timeout.
pub fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    Ok(socket.into())
}

/// Listens for connections.
///
/// # Panics
///
/// If the address stays taken.
#[must_use]
pub fn listen(topology: &Topology, at: IpAddr, port: u16) -> TcpListener {
    let address = SocketAddr::new(at, port);
    topology.owner(at).bind(|| TcpListener::bind(address))
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, limit: Duration) -> bool {
    to.set_read_timeout(Some(limit)).expect("set a timeout");
    from.write_all(b"x").is_ok() && to.read_exact(&mut [0]).is_ok()
}
