//! Random upper-layer headers.

use fastrand::Rng;

use super::{
    datagrams::pick,
    frames::{TCP_PORT, UDP_PORT},
};

/// Ports that something listens on everywhere, that policy allows for another protocol, or that no
/// service has.
const PORTS: [u16; 12] = [
    UDP_PORT, TCP_PORT, 22, 53, 67, 68, 546, 547, 9999, 0, 65535, 179,
];

/// The header and payload that follow an IP header and its extensions.
pub(super) struct Upper {
    /// IANA number.
    pub(super) protocol: u8,
    /// Header and payload.
    pub(super) bytes: Vec<u8>,
    /// Whether policy allows it.
    pub(super) allowed: bool,
}

/// Something for a packet of either family.
pub(super) fn upper(rng: &mut Rng, v6: bool) -> Upper {
    let mut upper = match rng.u8(0..24) {
        0..8 => udp(rng),
        8..14 => tcp(rng),
        14..20 => icmp(rng, v6),
        20 => {
            let protocol = *pick(rng, &[132, 136, 33]);
            with_ports(rng, protocol)
        }
        21 | 22 => tunnel(rng),
        _ => {
            let protocol = *pick(rng, &[2, 50, 51, 89, 103, 112, 59, 253, 254, 255]);
            opaque(protocol, [0; 16].to_vec())
        }
    };
    if rng.u8(0..32) == 0 {
        let length = rng.usize(..upper.bytes.len().max(1));
        upper.bytes.truncate(length);
    }
    upper
}

const fn opaque(protocol: u8, bytes: Vec<u8>) -> Upper {
    Upper {
        protocol,
        bytes,
        allowed: false,
    }
}

/// Two ports; those of the source are none that policy allows, so that nothing looks like an answer.
fn ports(rng: &mut Rng, allowed: u16) -> [u16; 2] {
    let destination = if rng.u8(0..5) == 0 {
        allowed
    } else {
        *pick(rng, &PORTS)
    };
    let source = match rng.u8(0..6) {
        0 => 53,
        1 => 67,
        2 => 68,
        _ => rng.u16(10_000..60_000),
    };
    [source, destination]
}

fn port_bytes([source, destination]: [u16; 2]) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes()].concat()
}

fn udp(rng: &mut Rng) -> Upper {
    let ports = ports(rng, UDP_PORT);
    let mut bytes = port_bytes(ports);
    bytes.extend([0, 48, 0, 0]);
    bytes.resize(48, 0x68);
    Upper {
        protocol: 17,
        bytes,
        allowed: ports[1] == UDP_PORT,
    }
}

fn tcp(rng: &mut Rng) -> Upper {
    let ports = ports(rng, TCP_PORT);
    let flags = if rng.bool() {
        *pick(rng, &[0x02, 0x10])
    } else {
        rng.u8(..)
    };
    let mut bytes = port_bytes(ports);
    bytes.extend(rng.u32(..).to_be_bytes());
    bytes.extend(rng.u32(..).to_be_bytes());
    bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.resize(40, 0x68);
    Upper {
        protocol: 6,
        bytes,
        allowed: ports[1] == TCP_PORT,
    }
}

fn icmp(rng: &mut Rng, v6: bool) -> Upper {
    let (protocol, request) = if v6 { (58, 128) } else { (1, 8) };
    let protocol = if rng.u8(0..24) == 0 {
        59 - protocol
    } else {
        protocol
    };
    let kind = match rng.u8(0..8) {
        0 => request,
        1 | 2 if v6 => rng.u8(130..144),
        3 => rng.u8(..),
        _ => rng.u8(0..20),
    };
    let code = if rng.bool() { 0 } else { rng.u8(0..16) };
    let mut bytes = vec![kind, code, 0, 0, 0, 7, 0, 1];
    // As much of a packet as an error quotes: one that policy would never have let pass.
    if v6 {
        bytes.extend([0x60, 0, 0, 0, 0, 8, 17, 64, 0x20, 1, 0x0d, 0xb8]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x20, 1, 0x0d, 0xb8]);
        bytes.extend([0, 0xc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    } else {
        bytes.extend([0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0]);
        bytes.extend([192, 0, 2, 10, 198, 51, 100, 7]);
    }
    bytes.extend([0x27, 0x0f, 0x27, 0x0f, 0, 8, 0, 0]);
    Upper {
        protocol,
        bytes,
        allowed: kind == request && protocol != if v6 { 1 } else { 58 },
    }
}

/// A packet of a protocol with ports like TCP's, but without a rule in the policy.
fn with_ports(rng: &mut Rng, protocol: u8) -> Upper {
    let mut bytes = port_bytes(ports(rng, UDP_PORT));
    bytes.extend([0; 8]);
    bytes.extend([rng.u8(0..16), 0, 0, 20]);
    bytes.resize(32, 0);
    opaque(protocol, bytes)
}

/// A packet that policy allows, within one that it does not.
fn tunnel(rng: &mut Rng) -> Upper {
    let mut inner = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
    inner.extend([198, 51, 100, 7, 192, 0, 2, 10]);
    super::datagrams::set_checksum(&mut inner);
    inner.extend(port_bytes([40_000, UDP_PORT]));
    inner.extend([0, 8, 0, 0]);
    match rng.u8(0..4) {
        0 => opaque(4, inner),
        1 => opaque(41, inner),
        2 => opaque(47, [vec![0, 0, 8, 0], inner].concat()),
        // Authenticated: no limit of it may hide what follows.
        _ => opaque(
            51,
            [vec![17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], inner].concat(),
        ),
    }
}
