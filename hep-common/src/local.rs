//! This host's own addresses: a mirror of the kernel's `local` routing table.

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

/// The single value of the `QUICK_LOCAL` map: local addresses by [`LocalAddress::place`], one each,
/// or zeros. What is found here needs no look-up in a hash (measured: 9 ns of a new flow).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuickLocal {
    /// By place.
    pub addresses: [LocalAddress; QUICK_LEN],
}

abi!(QuickLocal, 4096, [[LocalAddress; 256]]);

impl QuickLocal {
    /// Of these addresses; the last of several with one place.
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

/// That an address is local; membership is all that counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Always zero.
    pub reserved: u32,
}

abi!(Local, 4, [u32]);

/// Capacity of the map. Addresses beyond it are found by asking the kernel's routing tables.
pub const MAX_LOCAL: u32 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

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
