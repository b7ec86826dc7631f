//! Many frames in few calls.

use std::{
    io::IoSlice,
    os::fd::{AsRawFd as _, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockProtocol, SockType,
        SockaddrLike as _, bind, sendmmsg, socket,
    },
};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::frames::Frame;
use crate::namespace::Namespace;

/// Frames of one call.
const BATCH: usize = 64;

/// Where frames go in.
pub(super) enum Injector {
    /// A packet socket at the far end of the link.
    Socket(OwnedFd),
    /// The device whose far end this process is.
    Device {
        /// It.
        device: SyncDevice,
        /// Frames have an Ethernet header.
        ethernet: bool,
    },
}

impl Injector {
    /// Sends by an interface of a namespace.
    ///
    /// # Panics
    ///
    /// If there is no such interface.
    pub(super) fn socket(namespace: &Namespace, interface: &str) -> Self {
        namespace.run(|| {
            let address = nix::ifaddrs::getifaddrs()
                .expect("list interfaces")
                .filter(|entry| entry.interface_name == interface)
                .filter_map(|entry| entry.address)
                .find_map(|address| {
                    (address.family() == Some(AddressFamily::Packet))
                        .then(|| address.as_link_addr().copied())
                        .flatten()
                })
                .unwrap_or_else(|| panic!("no link-layer address of {interface}"));
            let socket = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                None::<SockProtocol>,
            )
            .expect("packet socket (needs CAP_NET_RAW)");
            bind(socket.as_raw_fd(), &address).expect("bind the packet socket");
            Self::Socket(socket)
        })
    }

    /// Makes a tun or tap device in a namespace. Packets for a tun device carry their EtherType.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub(super) fn device(namespace: &Namespace, interface: &str, ethernet: bool) -> Self {
        namespace.run(|| {
            let device = DeviceBuilder::new()
                .name(interface)
                .layer(if ethernet { Layer::L2 } else { Layer::L3 })
                .with(|options| {
                    options.packet_information(true);
                })
                .enable(false)
                .build_sync()
                .expect("make a tun or tap device");
            device.set_nonblocking(true).expect("set non-blocking");
            Self::Device { device, ethernet }
        })
    }

    /// Sends frames; those that the device refuses are skipped.
    ///
    /// # Panics
    ///
    /// If the socket breaks.
    pub(super) fn send(&self, frames: &[Frame]) {
        match self {
            Self::Socket(socket) => frames.chunks(BATCH).for_each(|batch| {
                send_batch(socket, batch);
            }),
            Self::Device { device, ethernet } => {
                let mut buffer = Vec::with_capacity(512);
                for frame in frames {
                    buffer.clear();
                    let kind = if *ethernet { 0 } else { frame.ether_type };
                    buffer.extend([0, 0]);
                    buffer.extend(kind.to_be_bytes());
                    buffer.extend(&frame.bytes);
                    // A device refuses what is too short for it.
                    drop(device.send(&buffer));
                }
                // What the host sends back is not wanted, and must not fill the queue.
                let mut answer = [0; 64];
                while device.recv(&mut answer).is_ok() {}
            }
        }
    }
}

fn send_batch(socket: &OwnedFd, mut frames: &[Frame]) {
    while !frames.is_empty() {
        let slices: Vec<[IoSlice<'_>; 1]> = frames
            .iter()
            .map(|frame| [IoSlice::new(&frame.bytes)])
            .collect();
        let addresses: Vec<Option<LinkAddr>> = vec![None; frames.len()];
        let mut headers = MultiHeaders::preallocate(frames.len(), None);
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            addresses,
            [],
            MsgFlags::empty(),
        )
        .map(Iterator::count);
        let done = match sent {
            Ok(count) => count,
            // The first one is too long or too short, or was dropped on its way out.
            Err(Errno::EMSGSIZE | Errno::EINVAL | Errno::ENOBUFS | Errno::EAGAIN) => 1,
            Err(error) => panic!("send frames: {error}"),
        };
        frames = &frames[done.clamp(1, frames.len())..];
    }
}
