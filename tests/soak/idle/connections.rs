//! The connections, in all ways through the host, with both of their ends.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use hep_tests::{
    address::Net,
    probe::{Connection, listen},
    topology::Topology,
};

/// The port of connections to the host and through it.
pub(crate) const PORT: u16 = 7001;
/// The port of connections from the host.
pub(crate) const OUTBOUND_PORT: u16 = 7002;
/// The port of those that it opens meanwhile.
pub(crate) const NEW_PORT: u16 = 7004;
/// A connection that is silent for this long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Server,
}

/// Established connections, each as client and server, and the sockets that listen for more: these show who
/// opened a connection.
pub(crate) struct Idle {
    open: Vec<(TcpStream, TcpStream)>,
    _listeners: Vec<TcpListener>,
}

impl Idle {
    /// Opens `count` connections to the host, half of each family.
    pub(crate) fn to_host(topology: &Topology, count: usize) -> Self {
        let counts = [count.div_ceil(2), count / 2];
        let nets = Net::both().into_iter().zip(counts);
        let ways = nets.map(|(net, count)| (net.client, net.host, PORT, count));
        Self::of(topology, ways)
    }

    /// Opens `count` connections of each family to this port of the host.
    pub(crate) fn to_port(topology: &Topology, port: u16, count: usize) -> Self {
        let ways = Net::both().map(|net| (net.client, net.host, port, count));
        Self::of(topology, ways)
    }

    /// Opens `count` connections of each family that end at the host; the host opens half of them.
    pub(crate) fn local(topology: &Topology, count: usize) -> Self {
        let ways = Net::each(|net| {
            [
                (net.client, net.host, PORT, count.div_ceil(2)),
                (net.host, net.client, OUTBOUND_PORT, count / 2),
            ]
        });
        Self::of(topology, ways)
    }

    /// Opens `count` connections of each family that the host forwards.
    pub(crate) fn forwarded(topology: &Topology, count: usize) -> Self {
        let ways = Net::both().map(|net| (net.client, net.inner, PORT, count));
        Self::of(topology, ways)
    }

    fn of(
        topology: &Topology,
        ways: impl IntoIterator<Item = (IpAddr, IpAddr, u16, usize)>,
    ) -> Self {
        let (mut all, mut listeners) = (Vec::new(), Vec::new());
        for (from, to, port, count) in ways {
            let listener = listen(topology, to, port);
            all.extend(open(topology, from, &listener, count));
            listeners.push(listener);
        }
        Self {
            open: all,
            _listeners: listeners,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// The ends of each, client first.
    pub(crate) fn ends(&self) -> Vec<[SocketAddr; 2]> {
        let ends = self.open.iter().map(|(client, server)| {
            [client, server].map(|end| end.local_addr().expect("is connected"))
        });
        ends.collect()
    }

    /// How many carry a byte to and fro; one end of all sends first.
    pub(crate) fn alive(&self, first: End) -> usize {
        self.alive_within(PATIENCE, first)
    }

    /// How many carry a byte to and fro within a time; one end of all sends first.
    pub(crate) fn alive_within(&self, time: Duration, first: End) -> usize {
        let deadline = Instant::now() + time;
        // All together have so much time, so that broken ones do not wait one after the other.
        let hears = |mut stream: &TcpStream| {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            stream.set_read_timeout(Some(left)).is_ok() && stream.read_exact(&mut [0]).is_ok()
        };
        let says = |mut stream: &TcpStream| stream.write_all(b"h").is_ok();
        let ends = self.open.iter().map(|(client, server)| match first {
            End::Client => (client, server),
            End::Server => (server, client),
        });
        let mut alive: Vec<_> = ends.collect();
        alive.retain(|(first, _)| says(first));
        alive.retain(|(_, second)| hears(second));
        alive.retain(|(_, second)| says(second));
        alive.retain(|(first, _)| hears(first));
        alive.len()
    }

    /// How many carry a byte to the host and back, one after the other: all of it is what policy
    /// allows, and answers to it.
    pub(crate) fn served(&self) -> usize {
        let hears = |mut stream: &TcpStream| {
            stream.set_read_timeout(Some(PATIENCE)).is_ok() && stream.read_exact(&mut [0]).is_ok()
        };
        let says = |mut stream: &TcpStream| stream.write_all(b"h").is_ok();
        let is_served = |(client, server): &(TcpStream, TcpStream)| {
            says(client) && hears(server) && says(server) && hears(client)
        };
        // Where one is broken, all are likely to be; each would be waited for.
        self.open.iter().take_while(|pair| is_served(pair)).count()
    }
}

/// Opens connections from an address of a topology.
fn open(
    topology: &Topology,
    from: IpAddr,
    listener: &TcpListener,
    count: usize,
) -> Vec<(TcpStream, TcpStream)> {
    let open = (0..count).map(|_| Connection::accepted_by(listener, topology, from));
    open.map(|connection| connection.into_ends().into())
        .collect()
}
