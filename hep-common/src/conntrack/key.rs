//! Keys of the connection table.

/// Two ports as one word, `a` in the lower half.
#[inline(always)]
const fn pair(a: u16, b: u16) -> u32 {
    (b as u32) << 16 | a as u32
}

/// The two ports of [`pair`].
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a half at a time")]
const fn parts(ports: u32) -> [u16; 2] {
    [ports as u16, (ports >> 16) as u16]
}

/// Number of hints about flows that are kept by hash of the key (the `FOUND` map); a power of two.
pub const PLACES: usize = 1 << PLACE_BITS;
/// Base-2 logarithm of [`PLACES`].
const PLACE_BITS: u32 = 13;

/// The place of a flow with these addresses, mixed, and ports.
#[inline(always)]
const fn place(addresses: u64, ports: u32) -> usize {
    let mixed = (addresses ^ ports as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (u64::BITS - PLACE_BITS)) as usize
}

/// Identifies an IPv4 flow.
///
/// Aligned so that the kernel programs may compare and copy addresses in large words. The other fields are
/// words too: the map's hash reads the key in words right after it was written, and a word written in pieces
/// is not available before the last piece has reached the cache (measured: 9 ns).
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnKey4 {
    /// Network byte order.
    pub addr_a: [u8; 4],
    /// Network byte order.
    pub addr_b: [u8; 4],
    /// Ports of `a`, in the lower half, and of `b`, host byte order; 0 for protocols without ports.
    pub ports: u32,
    /// IANA protocol number.
    pub protocol: u32,
}

abi!(ConnKey4, 16, [[u8; 4], [u8; 4], u32, u32]);

impl ConnKey4 {
    /// The key of a flow, and whether its end `src` is `a`. Ports are in host byte order.
    #[must_use]
    #[inline(always)]
    pub const fn of(protocol: u8, src: ([u8; 4], u16), dst: ([u8; 4], u16)) -> (Self, bool) {
        let (from, to) = (u32::from_be_bytes(src.0), u32::from_be_bytes(dst.0));
        let src_is_a = from < to || (from == to && src.1 <= dst.1);
        let (a, b) = if src_is_a { (src, dst) } else { (dst, src) };
        let key = Self {
            addr_a: a.0,
            addr_b: b.0,
            ports: pair(a.1, b.1),
            protocol: protocol as u32,
        };
        (key, src_is_a)
    }

    /// Address and port of both ends, `a` first.
    #[must_use]
    #[inline(always)]
    pub const fn ends(&self) -> [([u8; 4], u16); 2] {
        let [port_a, port_b] = parts(self.ports);
        [(self.addr_a, port_a), (self.addr_b, port_b)]
    }

    /// A hash of the key, below [`PLACES`].
    #[must_use]
    #[inline(always)]
    pub const fn place(&self) -> usize {
        let (a, b) = (
            u32::from_ne_bytes(self.addr_a),
            u32::from_ne_bytes(self.addr_b),
        );
        place(a as u64 ^ (b as u64) << 32, self.ports)
    }

    /// The key of the same flow in the table that holds flows of both families.
    #[must_use]
    #[inline(always)]
    pub const fn widened(&self) -> ConnKey6 {
        let [a, b, c, d] = self.addr_a;
        let [e, f, g, h] = self.addr_b;
        ConnKey6 {
            addr_a: [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            addr_b: [e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ports: self.ports,
            protocol: self.protocol | IS_IPV4,
        }
    }
}

/// Set in [`ConnKey6::protocol`] if the key is a widened [`ConnKey4`], so that an IPv6 flow with the same
/// address bytes has another key.
const IS_IPV4: u32 = 1 << 8;

/// Identifies an IPv6 flow, or a flow of either family in the table that holds both; alignment as in
/// [`ConnKey4`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnKey6 {
    /// Network byte order.
    pub addr_a: [u8; 16],
    /// Network byte order.
    pub addr_b: [u8; 16],
    /// Ports of `a`, in the lower half, and of `b`, host byte order; 0 for protocols without ports.
    pub ports: u32,
    /// IANA protocol number, plus a marker bit if [`ConnKey4::widened`] made the key.
    pub protocol: u32,
}

abi!(ConnKey6, 40, [[u8; 16], [u8; 16], u32, u32]);

impl ConnKey6 {
    /// The key of a flow, and whether its end `src` is `a`. Ports are in host byte order.
    #[must_use]
    #[inline(always)]
    pub const fn of(protocol: u8, src: ([u8; 16], u16), dst: ([u8; 16], u16)) -> (Self, bool) {
        let (from, to) = (u128::from_be_bytes(src.0), u128::from_be_bytes(dst.0));
        let src_is_a = from < to || (from == to && src.1 <= dst.1);
        let (a, b) = if src_is_a { (src, dst) } else { (dst, src) };
        let key = Self {
            addr_a: a.0,
            addr_b: b.0,
            ports: pair(a.1, b.1),
            protocol: protocol as u32,
        };
        (key, src_is_a)
    }

    /// Address and port of both ends, `a` first.
    #[must_use]
    #[inline(always)]
    pub const fn ends(&self) -> [([u8; 16], u16); 2] {
        let [port_a, port_b] = parts(self.ports);
        [(self.addr_a, port_a), (self.addr_b, port_b)]
    }

    /// A hash of the key, below [`PLACES`].
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a half at a time")]
    pub const fn place(&self) -> usize {
        let (a, b) = (
            u128::from_ne_bytes(self.addr_a),
            u128::from_ne_bytes(self.addr_b),
        );
        let mixed = a ^ b.rotate_left(32);
        place(mixed as u64 ^ (mixed >> 64) as u64, self.ports)
    }

    /// The IPv4 flow's key, if this is one that [`ConnKey4::widened`] made.
    #[must_use]
    pub const fn narrowed(&self) -> Option<ConnKey4> {
        if self.protocol & IS_IPV4 == 0 {
            return None;
        }
        let [a, b, c, d, ..] = self.addr_a;
        let [e, f, g, h, ..] = self.addr_b;
        Some(ConnKey4 {
            addr_a: [a, b, c, d],
            addr_b: [e, f, g, h],
            ports: self.ports,
            protocol: self.protocol & !IS_IPV4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;

    #[test]
    fn a_widened_key_is_no_ipv6_flow_s_and_comes_back() {
        let ends = [([192, 0, 2, 1], 53), ([192, 0, 2, 2], 40_000)];
        let (narrow, _) = ConnKey4::of(protocol::UDP, ends[0], ends[1]);
        let wide = narrow.widened();
        assert_eq!(wide.narrowed(), Some(narrow));
        let [a, b] = wide.ends();
        let (alike, _) = ConnKey6::of(protocol::UDP, a, b);
        assert_eq!(alike.narrowed(), None);
        assert_ne!(alike, wide);
    }
}
