//! This host's own addresses: a mirror of the kernel's `local` routing table.

/// An address of this host, or a broadcast address of one of its networks.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalAddress {
    /// Network byte order; an IPv4 address is mapped (`::ffff:a.b.c.d`).
    pub address: [u8; 16],
}

abi!(LocalAddress, 16, [[u8; 16]]);

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
