//! A tun device: a link whose frames start with the IP header.

use std::{
    io,
    time::{Duration, Instant},
};

use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::{eventually, namespace::Namespace, packet};

/// Longest packet that is read.
const PACKET_BYTES: usize = 65_536;

/// How long to wait for an answer before the request is repeated.
const AGAIN: Duration = Duration::from_millis(200);

/// The address at the far end and that of the namespace, in both families.
pub const ENDS: [[&str; 2]; 2] = [
    ["192.0.2.130", "192.0.2.129"],
    ["2001:db8:7::2", "2001:db8:7::1"],
];

/// The far end of a tun device of a namespace.
pub struct Tun {
    device: SyncDevice,
}

impl Tun {
    /// Makes `interface` in `namespace`, up, with addresses and routes between [`ENDS`].
    ///
    /// # Panics
    ///
    /// If the kernel refuses (`/dev/net/tun`).
    #[must_use]
    pub fn new(namespace: &Namespace, interface: &str) -> Self {
        let tun = namespace.run(|| {
            let device = DeviceBuilder::new()
                .name(interface)
                .layer(Layer::L3)
                .enable(false)
                .build_sync()
                .expect("make a tun device");
            device.set_nonblocking(true).expect("set non-blocking");
            Self { device }
        });
        namespace.ip(&format!("link set {interface} up"));
        for [far, near] in ENDS {
            namespace.ip(&format!(
                "address add {near} dev {interface} nodad\nroute add {far} dev {interface}"
            ));
        }
        tun
    }

    /// Whether the namespace answers an echo request from the far end within `limit`.
    ///
    /// # Panics
    ///
    /// If the device refuses a packet or goes away.
    #[must_use]
    pub fn is_answered(&self, ends: [&str; 2], identifier: u16, limit: Duration) -> bool {
        let [far, near] = ends.map(|end| end.parse().expect("a literal address"));
        let request = packet::echo_request(far, near, identifier).datagram();
        let reply = packet::echo_reply(near, far, identifier).datagram();
        let icmp_at = reply.len() - 8;
        // The kernel takes an IPv6 address into use a moment after it was added.
        eventually(limit.saturating_sub(AGAIN), || {
            self.send(&request);
            self.receive(AGAIN, |packet| {
                packet.get(icmp_at..) == reply.get(icmp_at..)
            })
            .is_some()
        })
    }

    /// Sends `packet`, from its IP header on, into the namespace by the device.
    ///
    /// # Panics
    ///
    /// If the device refuses it.
    pub fn send(&self, packet: &[u8]) {
        self.device.send(packet).expect("write to the tun device");
    }

    /// Waits for a packet that left by the device and that `wanted` recognises.
    ///
    /// # Panics
    ///
    /// If the device goes away.
    #[must_use]
    pub fn receive(
        &self,
        limit: Duration,
        mut wanted: impl FnMut(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut buffer = vec![0; PACKET_BYTES];
        loop {
            match self.device.recv(&mut buffer) {
                Ok(length) if wanted(&buffer[..length]) => {
                    buffer.truncate(length);
                    return Some(buffer);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("read from the tun device: {error}"),
            }
            if Instant::now() > deadline {
                return None;
            }
        }
    }
}
