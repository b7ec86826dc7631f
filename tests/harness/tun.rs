//! A tun device: a link whose frames start with the IP header.

use std::{
    io,
    time::{Duration, Instant},
};

use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::namespace::Namespace;

/// Longest packet that is read.
const PACKET_BYTES: usize = 65_536;

/// The far end of a tun device of a namespace.
pub struct Tun {
    device: SyncDevice,
}

impl Tun {
    /// Makes `interface` in `namespace`, without addresses, down.
    ///
    /// # Panics
    ///
    /// If the kernel refuses (`/dev/net/tun`).
    #[must_use]
    pub fn new(namespace: &Namespace, interface: &str) -> Self {
        namespace.run(|| {
            let device = DeviceBuilder::new()
                .name(interface)
                .layer(Layer::L3)
                .enable(false)
                .build_sync()
                .expect("make a tun device");
            device.set_nonblocking(true).expect("set non-blocking");
            Self { device }
        })
    }

    /// Lets `packet`, from its IP header on, come in by the device.
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
