//! Where a server and its clients are.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
};

use crate::namespace::Namespace;

/// The first port that servers get. The kernel gives connections of its own choice higher ones, so a server
/// finds its port free when it starts again.
const FIRST_PORT: u16 = 12_000;
/// How many ports there are.
const PORTS: u16 = 20_000;

/// An address that a server listens on, and the namespace that has it.
#[derive(Clone, Debug)]
pub struct Place {
    namespace: Option<Namespace>,
    address: IpAddr,
}

impl Place {
    /// The loopback of the tests themselves.
    #[must_use]
    pub const fn here() -> Self {
        Self {
            namespace: None,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// An address of a namespace.
    #[must_use]
    pub fn inside(namespace: &Namespace, address: IpAddr) -> Self {
        Self {
            namespace: Some(namespace.clone()),
            address,
        }
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Runs `work` where the address is.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.namespace {
            Some(namespace) => namespace.run(work),
            None => work(),
        }
    }

    /// The namespace, if it is not that of the tests.
    pub(super) const fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The address with a port that nobody listens on, and that this process gives nobody else.
    ///
    /// # Panics
    ///
    /// If all are taken.
    pub(super) fn free_port(&self) -> SocketAddr {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Processes of tests that run at once begin in different places.
        let offset = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap_or_default();
        (0..PORTS)
            .map(|_try| NEXT.fetch_add(1, Ordering::Relaxed))
            .map(|next| FIRST_PORT + offset.wrapping_add(next) % PORTS)
            .map(|port| SocketAddr::new(self.address, port))
            .find(|address| self.run(|| TcpListener::bind(address)).is_ok())
            .expect("a free port")
    }
}
