//! Addresses of either family as numbers.

use std::{
    fmt::Debug,
    hash::Hash,
    net::{Ipv4Addr, Ipv6Addr},
};

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

/// An address as a number.
pub trait AddressBits: Copy + Ord + Hash + Debug {
    /// Bits of an address.
    const BITS: u8;
    /// The lowest address.
    const MIN: Self;
    /// The highest address.
    const MAX: Self;

    /// The first and last address of the network of `prefix` bits around this address.
    #[must_use]
    fn around(self, prefix: u8) -> (Self, Self);

    /// The address one higher, unless this is the highest.
    #[must_use]
    fn above(self) -> Option<Self>;

    /// The network with this first and last address.
    fn network(bounds: (Self, Self)) -> IpNetwork;
}

impl AddressBits for u32 {
    const BITS: u8 = 32;
    const MIN: Self = 0;
    const MAX: Self = u32::MAX;

    fn around(self, prefix: u8) -> (Self, Self) {
        let host_bits = Self::MAX.checked_shr(prefix.into()).unwrap_or(0);
        (self & !host_bits, self | host_bits)
    }

    fn above(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn network((first, last): (Self, Self)) -> IpNetwork {
        let prefix = prefix_of((first ^ last).leading_zeros());
        let network = Ipv4Network::new(Ipv4Addr::from_bits(first), prefix);
        IpNetwork::V4(network.expect("at most 32 bits"))
    }
}

impl AddressBits for u128 {
    const BITS: u8 = 128;
    const MIN: Self = 0;
    const MAX: Self = u128::MAX;

    fn around(self, prefix: u8) -> (Self, Self) {
        let host_bits = Self::MAX.checked_shr(prefix.into()).unwrap_or(0);
        (self & !host_bits, self | host_bits)
    }

    fn above(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn network((first, last): (Self, Self)) -> IpNetwork {
        let prefix = prefix_of((first ^ last).leading_zeros());
        let network = Ipv6Network::new(Ipv6Addr::from_bits(first), prefix);
        IpNetwork::V6(network.expect("at most 128 bits"))
    }
}

fn prefix_of(common_bits: u32) -> u8 {
    u8::try_from(common_bits).expect("at most 128 bits")
}
