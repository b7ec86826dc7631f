//! (address, protocol, port) → class, for named ports.

/// A class of triples; 0 is "in no named port of any rule" and has no entry in the map.
pub type NamedPortClass = u32;

/// One endpoint's named port at one of its addresses.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPortKey {
    /// Network byte order; an IPv4 address is mapped (`::ffff:a.b.c.d`).
    pub address: [u8; 16],
    /// Host byte order.
    pub port: u16,
    /// IANA protocol number: TCP, UDP or SCTP.
    pub protocol: u8,
    /// Always zero.
    pub reserved: u8,
}

abi!(NamedPortKey, 20, [[u8; 16], u16, u8, u8]);
