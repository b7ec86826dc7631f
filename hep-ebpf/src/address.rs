//! Differences between the addresses of IPv4 and IPv6, and between the keys of their flows.

use hep_common::{
    Family,
    conntrack::{ConnKey4, ConnKey6},
};

use crate::helpers;

/// An address of either family, network byte order.
pub(crate) trait Address: Copy + 'static {
    /// The family.
    const FAMILY: Family;
    /// Length of an address.
    const BYTES: u32;
    /// Key of a flow.
    type Key: Copy;

    /// The key of a flow, and which end `src` is: 0 for `a`, 1 for `b`.
    fn key(protocol: u8, src: (Self, u16), dst: (Self, u16)) -> (Self::Key, usize);
    /// A number that few flows share, below [`PLACES`](hep_common::conntrack::PLACES).
    fn place(key: &Self::Key) -> usize;
    /// Both ends of a flow, `a` first: address and port.
    fn ends(key: &Self::Key) -> [(Self, u16); 2];
    /// The address in IPv6 form; an IPv4 address is mapped.
    fn mapped(&self) -> [u8; 16];
    /// The address in the kernel's `union nf_inet_addr`, of which an IPv4 address fills the first bytes.
    fn of_union(bytes: [u8; 16]) -> Self;
    /// Whether both are the same address.
    fn is(&self, other: &Self) -> bool;
    /// Whether every host takes packets to this address as its own: multicast and broadcast (spec EV-095).
    fn is_for_everyone(&self) -> bool;
    /// 169.254.0.0/16 or fe80::/10.
    fn is_link_local(&self) -> bool;
    /// 127.0.0.0/8 or `::1`.
    fn is_loopback(&self) -> bool;
    /// 0.0.0.0 or `::`.
    fn is_unspecified(&self) -> bool;
}

impl Address for [u8; 4] {
    const FAMILY: Family = Family::V4;
    const BYTES: u32 = 4;
    type Key = ConnKey4;

    #[inline(always)]
    fn key(protocol: u8, src: (Self, u16), dst: (Self, u16)) -> (ConnKey4, usize) {
        // As `ConnKey4::of`, without a branch: which end is lower is random.
        let whole = |(address, port): (Self, u16)| {
            u64::from(u32::from_be_bytes(address)) << 16 | u64::from(port)
        };
        let (src, dst) = (whole(src), whole(dst));
        let exchanged = helpers::sign(dst.wrapping_sub(src));
        let differing = (src ^ dst) & exchanged;
        let (a, b) = (src ^ differing, dst ^ differing);
        let address = |end: u64| helpers::low(end >> 16).to_be_bytes();
        let key = ConnKey4 {
            addr_a: address(a),
            addr_b: address(b),
            ports: helpers::low((b & 0xffff) << 16 | a & 0xffff),
            protocol: u32::from(protocol),
        };
        (key, helpers::low(exchanged) as usize & 1)
    }

    #[inline(always)]
    fn ends(key: &ConnKey4) -> [(Self, u16); 2] {
        key.ends()
    }

    #[inline(always)]
    fn place(key: &ConnKey4) -> usize {
        key.place()
    }

    #[inline(always)]
    fn mapped(&self) -> [u8; 16] {
        (0xffff_0000_0000 | u128::from(u32::from_be_bytes(*self))).to_be_bytes()
    }

    #[inline(always)]
    fn of_union([a, b, c, d, ..]: [u8; 16]) -> Self {
        [a, b, c, d]
    }

    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        u32::from_ne_bytes(*self) == u32::from_ne_bytes(*other)
    }

    #[inline(always)]
    fn is_for_everyone(&self) -> bool {
        let address = u32::from_be_bytes(*self);
        address >> 28 == 0xe || address == u32::MAX
    }

    #[inline(always)]
    fn is_link_local(&self) -> bool {
        u32::from_be_bytes(*self) >> 16 == 0xa9fe
    }

    #[inline(always)]
    fn is_loopback(&self) -> bool {
        u32::from_be_bytes(*self) >> 24 == 127
    }

    #[inline(always)]
    fn is_unspecified(&self) -> bool {
        u32::from_ne_bytes(*self) == 0
    }
}

impl Address for [u8; 16] {
    const FAMILY: Family = Family::V6;
    const BYTES: u32 = 16;
    type Key = ConnKey6;

    #[inline(always)]
    fn key(protocol: u8, src: (Self, u16), dst: (Self, u16)) -> (ConnKey6, usize) {
        let (key, src_is_a) = ConnKey6::of(protocol, src, dst);
        (key, usize::from(!src_is_a))
    }

    #[inline(always)]
    fn ends(key: &ConnKey6) -> [(Self, u16); 2] {
        key.ends()
    }

    #[inline(always)]
    fn place(key: &ConnKey6) -> usize {
        key.place()
    }

    #[inline(always)]
    fn mapped(&self) -> [u8; 16] {
        *self
    }

    #[inline(always)]
    fn of_union(bytes: [u8; 16]) -> Self {
        bytes
    }

    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        u128::from_ne_bytes(*self) == u128::from_ne_bytes(*other)
    }

    #[inline(always)]
    fn is_for_everyone(&self) -> bool {
        let [first, ..] = *self;
        first == 0xff
    }

    #[inline(always)]
    fn is_link_local(&self) -> bool {
        let [first, second, ..] = *self;
        first == 0xfe && second & 0xc0 == 0x80
    }

    #[inline(always)]
    fn is_loopback(&self) -> bool {
        u128::from_be_bytes(*self) == 1
    }

    #[inline(always)]
    fn is_unspecified(&self) -> bool {
        u128::from_ne_bytes(*self) == 0
    }
}
