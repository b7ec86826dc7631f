//! Networks that overlap, nest and touch, and the addresses at their edges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use super::{chance, pick};

/// Bases of random networks: few, so that networks meet.
const BASES4: [Ipv4Addr; 10] = [
    Ipv4Addr::new(10, 0, 0, 0),
    Ipv4Addr::new(10, 1, 2, 3),
    Ipv4Addr::new(10, 1, 2, 200),
    Ipv4Addr::new(10, 255, 255, 255),
    Ipv4Addr::new(192, 0, 2, 10),
    Ipv4Addr::new(192, 0, 2, 11),
    Ipv4Addr::new(198, 51, 100, 7),
    Ipv4Addr::new(203, 0, 113, 128),
    Ipv4Addr::new(224, 0, 0, 251),
    Ipv4Addr::new(127, 255, 255, 255),
];

const BASES6: [Ipv6Addr; 9] = [
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x11),
    Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6),
    Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0x8000, 0, 0, 0),
    Ipv6Addr::new(
        0x2001, 0xdb8, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
    ),
    Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 0),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16),
    Ipv6Addr::UNSPECIFIED,
];

/// Prefix lengths around which tables change their shape.
const BITS4: [u8; 12] = [0, 1, 8, 15, 16, 17, 24, 25, 30, 31, 32, 32];
/// IPv6 prefix lengths around which tables change their shape.
const BITS6: [u8; 16] = [
    0, 1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 128,
];

/// A network: masked address and prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    pub(super) address: IpAddr,
    pub(super) bits: u8,
}

impl Net {
    pub(super) fn random(rng: &mut Rng, ipv6: bool) -> Self {
        if ipv6 {
            let bits = if chance(rng, 80) {
                *pick(rng, &BITS6)
            } else {
                rng.u8(0..=128)
            };
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            let address = Ipv6Addr::from(base6(rng).to_bits() & mask);
            return Self {
                address: address.into(),
                bits,
            };
        }
        let bits = if chance(rng, 80) {
            *pick(rng, &BITS4)
        } else {
            rng.u8(0..=32)
        };
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        let address = Ipv4Addr::from(base4(rng).to_bits() & mask);
        Self {
            address: address.into(),
            bits,
        }
    }

    /// The first and last address, and their neighbours outside.
    pub(super) fn edges(self) -> [IpAddr; 4] {
        match self.address {
            IpAddr::V4(address) => {
                let first = address.to_bits();
                let last = first | u32::MAX.checked_shr(u32::from(self.bits)).unwrap_or(0);
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| Ipv4Addr::from(bits).into())
            }
            IpAddr::V6(address) => {
                let first = address.to_bits();
                let last = first | u128::MAX.checked_shr(u32::from(self.bits)).unwrap_or(0);
                [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                    .map(|bits| Ipv6Addr::from(bits).into())
            }
        }
    }
}

impl std::fmt::Display for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn base4(rng: &mut Rng) -> Ipv4Addr {
    if chance(rng, 10) {
        Ipv4Addr::from(rng.u32(..))
    } else {
        *pick(rng, &BASES4)
    }
}

fn base6(rng: &mut Rng) -> Ipv6Addr {
    if chance(rng, 10) {
        Ipv6Addr::from(rng.u128(..))
    } else {
        *pick(rng, &BASES6)
    }
}

/// An address that an object may have.
pub(super) fn address(rng: &mut Rng, ipv6: bool) -> IpAddr {
    if ipv6 {
        base6(rng).into()
    } else {
        base4(rng).into()
    }
}

/// The network of one such address.
pub(super) fn host(rng: &mut Rng, ipv6: bool) -> Net {
    Net {
        address: address(rng, ipv6),
        bits: if ipv6 { 128 } else { 32 },
    }
}
