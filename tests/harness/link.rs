//! Frames as they are, through packet sockets.

use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    net::if_::if_nametoindex,
    setsockopt_impl, sockopt_impl,
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

sockopt_impl!(
    /// Frames that are sent start with a `struct virtio_net_hdr`.
    VnetHeader, SetOnly, libc::SOL_PACKET, libc::PACKET_VNET_HDR, bool
);

/// Work that the sender of a frame leaves to others, as in a `struct virtio_net_hdr`.
#[derive(Clone, Copy, Debug)]
pub struct Offload {
    kind: u8,
    linear_bytes: u16,
    segment_bytes: u16,
    checksum: Option<(u16, u16)>,
}

impl Offload {
    /// Nothing. If a frame is longer than a page, only the Ethernet header is in the linear area.
    #[must_use]
    pub const fn scattered() -> Self {
        Self {
            kind: 0,
            linear_bytes: 14,
            segment_bytes: 0,
            checksum: None,
        }
    }

    /// A TCP segment after an IP header of `ip_bytes`, to be cut into pieces of `segment_bytes`.
    #[must_use]
    pub const fn tcp(ip_bytes: u16, segment_bytes: u16) -> Self {
        const TCP_V4: u8 = 1;
        const TCP_V6: u8 = 4;
        let transport = 14 + ip_bytes;
        Self {
            kind: if ip_bytes == 20 { TCP_V4 } else { TCP_V6 },
            linear_bytes: transport + 20,
            segment_bytes,
            checksum: Some((transport, 16)),
        }
    }

    fn header(self) -> Vec<u8> {
        let (start, offset) = self.checksum.unwrap_or_default();
        let mut header = vec![u8::from(self.checksum.is_some()), self.kind];
        for number in [self.linear_bytes, self.segment_bytes, start, offset] {
            header.extend(number.to_ne_bytes());
        }
        header
    }
}

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

    /// Sends one frame with work left to do, in the form in which a stack hands it to a device.
    ///
    /// # Panics
    ///
    /// If the interface refuses it.
    pub fn send_offloaded(&self, offload: Offload, frame: &[u8]) {
        let with_headers = |on: bool| {
            setsockopt(&self.socket, VnetHeader, &on).expect("a packet socket has this option");
        };
        with_headers(true);
        self.send(&[&offload.header(), frame].concat());
        with_headers(false);
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

    /// Whether a frame passed this interface: a socket that could not be bound receives those of all.
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
