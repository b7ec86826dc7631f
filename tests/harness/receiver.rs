//! Sockets that wait for packets that tests craft.

use std::{
    io::{ErrorKind, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::namespace::Namespace;

/// Waits for datagrams or packets of one protocol.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
}

impl Receiver {
    /// Every packet of an IP protocol that is delivered in `namespace`, whatever its addresses.
    ///
    /// # Panics
    ///
    /// If the kernel refuses (`CAP_NET_RAW`).
    #[must_use]
    pub fn raw(namespace: &Namespace, family: IpAddr, protocol: u8) -> Self {
        Self::new(namespace, || {
            Socket::new(
                Domain::for_address(SocketAddr::new(family, 0)),
                Type::RAW,
                Some(Protocol::from(i32::from(protocol))),
            )
        })
    }

    /// Datagrams to `port` at any address of `family`'s, broadcast included.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    #[must_use]
    pub fn udp(namespace: &Namespace, family: IpAddr, port: u16) -> Self {
        let any = match family {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        Self::new(namespace, || {
            let address = SocketAddr::new(any, port);
            let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
            if any.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            Ok(socket)
        })
    }

    fn new(namespace: &Namespace, make: impl FnMut() -> std::io::Result<Socket> + Send) -> Self {
        let socket = namespace.bind(make);
        socket
            .set_read_timeout(Some(Duration::from_millis(10)))
            .expect("set a timeout");
        Self { socket }
    }

    /// Joins a multicast group on an interface.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    #[must_use]
    pub fn join(self, group: IpAddr, ifindex: u32) -> Self {
        match group {
            IpAddr::V4(group) => self
                .socket
                .join_multicast_v4_n(&group, &socket2::InterfaceIndexOrAddress::Index(ifindex)),
            IpAddr::V6(group) => self.socket.join_multicast_v6(&group, ifindex),
        }
        .unwrap_or_else(|error| panic!("join {group}: {error}"));
        self
    }

    /// Waits for a packet that `wanted` recognises (raw IPv4 sockets hand over the IP header too);
    /// its length.
    ///
    /// # Panics
    ///
    /// If the socket breaks.
    #[must_use]
    pub fn receive(&self, limit: Duration, wanted: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0; 65_536];
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(length) if wanted(&buffer[..length]) => return Some(length),
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => panic!("receive: {error}"),
            }
            if Instant::now() > deadline {
                return None;
            }
        }
    }
}
