//! This host's own addresses: a mirror of the kernel's `local` routing table.

use crate::tick::Tick;

/// An address of this host, or a broadcast address of one of its networks.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalAddress {
    /// Network byte order; an IPv4 address is mapped (`::ffff:a.b.c.d`).
    pub address: [u8; 16],
}

abi!(LocalAddress, 16, [[u8; 16]]);

/// Length of [`QuickLocal::addresses`]; a power of two.
pub const QUICK_LEN: usize = 256;

impl LocalAddress {
    /// This address's place in [`QuickLocal`].
    #[must_use]
    #[inline(always)]
    pub const fn place(&self) -> usize {
        let [.., a, b] = self.address;
        (a ^ b) as usize
    }
}

/// The single value of the `QUICK_LOCAL` map: this host's own addresses, without shared ones, indexed by
/// [`LocalAddress::place`]; free places are zeros. A hit here saves a hash look-up (measured: 9 ns of a new
/// flow).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuickLocal {
    /// Indexed by [`LocalAddress::place`].
    pub addresses: [LocalAddress; QUICK_LEN],
}

abi!(QuickLocal, 4096, [[LocalAddress; 256]]);

impl QuickLocal {
    /// The value for these addresses; of several with the same place, the last one has it.
    #[must_use]
    pub fn of(addresses: impl IntoIterator<Item = LocalAddress>) -> Self {
        let mut quick = Self {
            addresses: [LocalAddress::default(); QUICK_LEN],
        };
        for address in addresses {
            quick.addresses[address.place()] = address;
        }
        quick
    }
}

/// Value of the `LOCAL` map, which holds this host's addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// 1 if it is a broadcast or anycast address, which no packet of this host has as its source.
    pub shared: u32,
}

abi!(Local, 4, [u32]);

/// The single value of the `OWN_STATE` map: how far the maps of own addresses can be trusted.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnState {
    /// Moment until which a daemon that tracks the kernel's tables guarantees that this host has no other
    /// addresses; [`Tick::NONE`]: no guarantee.
    pub vouched_until: Tick,
    /// 1 if some address did not get its place in [`QuickLocal`].
    pub crowded: u32,
}

abi!(OwnState, 8, [Tick, u32]);

impl OwnState {
    /// Whether an address that is in no map is certainly not this host's.
    #[must_use]
    #[inline(always)]
    pub const fn is_complete(&self, now: Tick) -> bool {
        // For a moment in the past the difference wraps to more than half of all ticks.
        !self.vouched_until.is_none() && self.vouched_until.0.wrapping_sub(now.0) < 1 << 31
    }
}

/// Time for which each guarantee of the daemon holds, nanoseconds: see [`OwnState::vouched_until`].
pub const VOUCHED_NS: u64 = 6_000_000_000;

/// Capacity of the `LOCAL` map. Addresses beyond it are found by the kernel's routing tables.
pub const MAX_LOCAL: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    /// EV-095: also while ticks wrap.
    #[test]
    fn a_daemon_vouches_for_a_time() {
        for until in [Tick(5), Tick(1_000_000), Tick(u32::MAX)] {
            let state = OwnState {
                vouched_until: until,
                crowded: 0,
            };
            assert!(state.is_complete(Tick(until.0.wrapping_sub(300))));
            assert!(state.is_complete(until));
            assert!(!state.is_complete(Tick(until.0.wrapping_add(1))));
        }
        assert!(!OwnState::default().is_complete(Tick(u32::MAX)));
    }

    #[test]
    fn an_address_is_at_its_place_unless_another_one_is() {
        let address = |last: [u8; 2]| {
            let mut address = [0; 16];
            address[14..].copy_from_slice(&last);
            LocalAddress { address }
        };
        let (one, other, third) = (address([1, 2]), address([2, 1]), address([1, 3]));
        assert_eq!(one.place(), other.place());
        let quick = QuickLocal::of([one, other, third]);
        assert_eq!(quick.addresses[one.place()], other);
        assert_eq!(quick.addresses[third.place()], third);
        assert_eq!(
            quick.addresses[address([0, 0]).place()],
            LocalAddress::default()
        );
    }
}
