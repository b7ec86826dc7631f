//! Frames as they are, through packet sockets.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    net::if_::if_nametoindex,
    sys::{
        socket::{
            AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike as _,
            SockaddrStorage, bind, recv, recvfrom, sendto, setsockopt, socket, sockopt,
        },
        time::TimeVal,
    },
};

use crate::namespace::Namespace;

/// Longest frame that is read.
const FRAME_BYTES: usize = 65_536;

/// One interface, for frames of any content.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    index: usize,
    /// None if the interface has no link layer; it then cannot be sent to.
    address: Option<LinkAddr>,
}

impl Link {
    /// Opens `interface` of `namespace`; frames that pass there from now on can be received.
    ///
    /// # Panics
    ///
    /// If there is no such interface or the kernel refuses.
    #[must_use]
    pub fn open(namespace: &Namespace, interface: &str) -> Self {
        namespace.run(|| {
            let index = if_nametoindex(interface)
                .unwrap_or_else(|error| panic!("interface {interface}: {error}"));
            let address = nix::ifaddrs::getifaddrs()
                .expect("list interfaces")
                .filter(|entry| entry.interface_name == interface)
                .find_map(|entry| entry.address.as_ref().and_then(link_address));
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            )
            .expect("packet socket (needs CAP_NET_RAW)");
            if let Some(address) = &address {
                bind(socket.as_raw_fd(), address).expect("bind the packet socket");
            }
            let wait = TimeVal::new(0, 10_000);
            setsockopt(&socket, sockopt::ReceiveTimeout, &wait).expect("set a receive timeout");
            Self {
                socket,
                index: usize::try_from(index).expect("indices fit"),
                address,
            }
        })
    }

    /// Sends one frame; an egress program of this interface may drop it.
    ///
    /// # Panics
    ///
    /// If the interface refuses it, or has no link layer.
    pub fn send(&self, frame: &[u8]) {
        let address = self.address.as_ref().expect("a link layer");
        let sent = sendto(self.socket.as_raw_fd(), frame, address, MsgFlags::empty());
        match sent {
            // What the kernel says of a packet that TC dropped.
            Ok(_) | Err(Errno::ENOBUFS) => {}
            Err(error) => panic!("send a frame of {} bytes: {error}", frame.len()),
        }
    }

    /// Waits for a frame that `wanted` recognises; frames that passed since the last call count.
    ///
    /// # Panics
    ///
    /// If the interface goes away.
    #[must_use]
    pub fn receive(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0; FRAME_BYTES];
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((length, from)) if self.is_here(from) && wanted(&buffer[..length]) => {
                    buffer.truncate(length);
                    return Some(buffer);
                }
                Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => panic!("receive a frame: {error}"),
            }
            if Instant::now() > deadline {
                return None;
            }
        }
    }

    /// Whether a frame passed this interface: a socket that could not be bound hears them all.
    fn is_here(&self, from: Option<LinkAddr>) -> bool {
        from.is_some_and(|from| from.ifindex() == self.index)
    }

    /// Forgets the frames that passed until now.
    ///
    /// # Panics
    ///
    /// If the interface goes away.
    pub fn drain(&self) {
        let mut buffer = [0; 64];
        while recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok() {}
    }
}

fn link_address(address: &SockaddrStorage) -> Option<LinkAddr> {
    (address.family() == Some(AddressFamily::Packet))
        .then(|| address.as_link_addr().copied())
        .flatten()
}
