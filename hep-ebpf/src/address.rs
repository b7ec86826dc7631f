//! Differences between IPv4 and IPv6 beyond the headers: keys, tables, kinds of addresses.

use aya_ebpf::programs::TcContext;
use hep_common::{
    Family,
    conntrack::{Conn, ConnKey4, ConnKey6},
    protocol,
};

use crate::{
    classify,
    context::{Scratch, Trace},
    helpers,
    maps::{
        Flow, Slot, assured_tcp4, assured_tcp6, assured4, assured6, scratch4, scratch6, unassured,
    },
    parse::{Packet, Parse},
    route,
};

/// An address of either family, network byte order.
pub(crate) trait Address: Parse + Copy + 'static {
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
    /// The assured flow with this key.
    fn assured(key: &Self::Key) -> Option<Flow>;
    /// The flow with this key that is not assured.
    fn unassured(key: &Self::Key) -> Option<Flow>;
    /// Stores an assured flow.
    fn insert_assured(key: &Self::Key, conn: &Conn) -> bool;
    /// Stores a flow that is not assured.
    fn insert_unassured(key: &Self::Key, conn: &Conn) -> bool;
    /// Forgets an assured flow.
    fn remove_assured(key: &Self::Key);
    /// Forgets a flow that is not assured.
    fn remove_unassured(key: &Self::Key);

    /// This CPU's scratch state for the packet.
    fn scratch() -> Option<&'static mut Scratch<Self>>;

    /// The class of this address, or [`classify::FAULT`].
    fn class(&self, slot: Slot) -> u32;
    /// Evaluates the list in `trace` from rule `from` on, by the global function of this family.
    fn ask(
        slot: Slot,
        packet: &Packet<Self>,
        trace: &mut Trace,
        count_bytes: u32,
        from: u32,
    ) -> u32;
    /// Looks a route up, by the global function of this family.
    fn fib(ctx: &TcContext, packet: &Packet<Self>, at: u32, leg: u32) -> u32;
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
    fn assured(key: &ConnKey4) -> Option<Flow> {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::find(key)
        } else {
            assured4::find(key)
        }
    }

    #[inline(always)]
    fn unassured(key: &ConnKey4) -> Option<Flow> {
        unassured::find(&key.widened())
    }

    #[inline(always)]
    fn insert_assured(key: &ConnKey4, conn: &Conn) -> bool {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::insert(key, conn)
        } else {
            assured4::insert(key, conn)
        }
    }

    #[inline(always)]
    fn insert_unassured(key: &ConnKey4, conn: &Conn) -> bool {
        unassured::insert(&key.widened(), conn)
    }

    #[inline(always)]
    fn remove_assured(key: &ConnKey4) {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp4::remove(key);
        } else {
            assured4::remove(key);
        }
    }

    #[inline(always)]
    fn remove_unassured(key: &ConnKey4) {
        unassured::remove(&key.widened());
    }

    #[inline(always)]
    fn scratch() -> Option<&'static mut Scratch<Self>> {
        scratch4()
    }

    #[inline(always)]
    fn class(&self, slot: Slot) -> u32 {
        classify::class4(slot, u32::from_be_bytes(*self))
    }

    #[inline(always)]
    fn ask(
        slot: Slot,
        packet: &Packet<Self>,
        trace: &mut Trace,
        count_bytes: u32,
        from: u32,
    ) -> u32 {
        classify::ask4(slot, packet, trace, count_bytes, from)
    }

    #[inline(always)]
    fn fib(ctx: &TcContext, packet: &Packet<Self>, at: u32, leg: u32) -> u32 {
        route::fib4(ctx, packet, at, leg)
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
    fn assured(key: &ConnKey6) -> Option<Flow> {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::find(key)
        } else {
            assured6::find(key)
        }
    }

    #[inline(always)]
    fn unassured(key: &ConnKey6) -> Option<Flow> {
        unassured::find(key)
    }

    #[inline(always)]
    fn insert_assured(key: &ConnKey6, conn: &Conn) -> bool {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::insert(key, conn)
        } else {
            assured6::insert(key, conn)
        }
    }

    #[inline(always)]
    fn insert_unassured(key: &ConnKey6, conn: &Conn) -> bool {
        unassured::insert(key, conn)
    }

    #[inline(always)]
    fn remove_assured(key: &ConnKey6) {
        if key.protocol == u32::from(protocol::TCP) {
            assured_tcp6::remove(key);
        } else {
            assured6::remove(key);
        }
    }

    #[inline(always)]
    fn remove_unassured(key: &ConnKey6) {
        unassured::remove(key);
    }

    #[inline(always)]
    fn scratch() -> Option<&'static mut Scratch<Self>> {
        scratch6()
    }

    #[inline(always)]
    fn class(&self, slot: Slot) -> u32 {
        classify::class6(slot, self)
    }

    #[inline(always)]
    fn ask(
        slot: Slot,
        packet: &Packet<Self>,
        trace: &mut Trace,
        count_bytes: u32,
        from: u32,
    ) -> u32 {
        classify::ask6(slot, packet, trace, count_bytes, from)
    }

    #[inline(always)]
    fn fib(ctx: &TcContext, packet: &Packet<Self>, at: u32, leg: u32) -> u32 {
        route::fib6(ctx, packet, at, leg)
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
