//! Sets of addresses or table positions as sorted, disjoint, inclusive ranges.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::model::{AddressBits, IpFamily, Members, Nets};

/// A value on a line: an address as a number, a port, an index of a table.
pub(crate) trait Position: AddressBits {
    /// Those of `nets` that are of the family whose addresses these are.
    fn members(nets: &Nets) -> &Members<Self>;

    /// The first and last address of `net`, if it is of the family whose addresses these are.
    fn bounds(net: &IpNetwork) -> Option<(Self, Self)>;
}

impl Position for u32 {
    fn members(nets: &Nets) -> &Members<Self> {
        &nets.v4
    }

    fn bounds(net: &IpNetwork) -> Option<(Self, Self)> {
        match net {
            IpNetwork::V4(net) => Some(net.ip().to_bits().around(net.prefix())),
            IpNetwork::V6(_) => None,
        }
    }
}

impl Position for u128 {
    fn members(nets: &Nets) -> &Members<Self> {
        &nets.v6
    }

    fn bounds(net: &IpNetwork) -> Option<(Self, Self)> {
        match net {
            IpNetwork::V4(_) => None,
            IpNetwork::V6(net) => Some(net.ip().to_bits().around(net.prefix())),
        }
    }
}

/// A set of positions: sorted inclusive ranges that neither overlap nor touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RangeSet<T> {
    ranges: Vec<(T, T)>,
}

impl<T> Default for RangeSet<T> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<T: Position> RangeSet<T> {
    /// The union of `ranges`, which may come in any order and overlap.
    pub(crate) fn new(mut ranges: Vec<(T, T)>) -> Self {
        if !ranges.is_sorted() {
            ranges.sort_unstable();
        }
        Self::of_sorted(ranges.len(), ranges)
    }

    /// The union of about `count` sorted ranges.
    pub(crate) fn of_sorted(count: usize, ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut merged: Vec<(T, T)> = Vec::with_capacity(count);
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if before.1.above().is_none_or(|next| first <= next) => {
                    before.1 = before.1.max(last);
                }
                Some(_) | None => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// The addresses of those of `nets` that are of the family of `T`.
    pub(crate) fn of_nets<'n>(nets: impl IntoIterator<Item = &'n IpNetwork>) -> Self {
        Self::new(nets.into_iter().filter_map(T::bounds).collect())
    }

    /// The positions of `self` that are not in `other`.
    pub(crate) fn minus(&self, other: &Self, previous: impl Fn(T) -> T) -> Self {
        let mut left = Vec::new();
        let mut holes = other.ranges.iter().peekable();
        for &(first, last) in &self.ranges {
            let mut from = Some(first);
            while let Some(&&(hole_first, hole_last)) = holes.peek() {
                let Some(start) = from else { break };
                if hole_first > last {
                    break;
                }
                if hole_last >= start {
                    if hole_first > start {
                        left.push((start, previous(hole_first)));
                    }
                    from = hole_last.above().filter(|next| *next <= last);
                }
                if hole_last > last {
                    break;
                }
                holes.next();
            }
            if let Some(start) = from {
                left.push((start, last));
            }
        }
        Self { ranges: left }
    }

    /// The ranges.
    pub(crate) fn as_slice(&self) -> &[(T, T)] {
        &self.ranges
    }

    /// The parts of its ranges that lie from `first` to `last`.
    pub(crate) fn between(&self, first: T, last: T) -> impl Iterator<Item = (T, T)> {
        let start = self.ranges.partition_point(|range| range.1 < first);
        let inside = self.ranges[start..].iter();
        inside
            .take_while(move |range| range.0 <= last)
            .map(move |range| (range.0.max(first), range.1.min(last)))
    }

    /// Whether it holds every position from `first` to `last`.
    pub(crate) fn covers(&self, first: T, last: T) -> bool {
        self.ranges
            .iter()
            .any(|range| range.0 <= first && last <= range.1)
    }
}

/// The family of a network.
pub(crate) fn family_of(net: &IpNetwork) -> IpFamily {
    match net {
        IpNetwork::V4(_) => IpFamily::V4,
        IpNetwork::V6(_) => IpFamily::V6,
    }
}

/// An address as 16 bytes in network order; an IPv4 address is mapped.
pub(crate) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> RangeSet<u32> {
        RangeSet::new(ranges.to_vec())
    }

    #[test]
    fn overlapping_touching_and_nested_ranges_merge() {
        let merged = set(&[(5, 9), (1, 2), (3, 3), (6, 7), (20, u32::MAX), (30, 40)]);
        assert_eq!(merged.as_slice(), [(1, 3), (5, 9), (20, u32::MAX)]);
    }

    #[test]
    fn minus_cuts_holes_and_edges() {
        type Ranges = &'static [(u32, u32)];
        let rows: [(Ranges, Ranges, Ranges); 5] = [
            (&[(0, 9)], &[], &[(0, 9)]),
            (&[(0, 9)], &[(0, 9)], &[]),
            (&[(0, 9)], &[(3, 4), (8, 20)], &[(0, 2), (5, 7)]),
            (&[(0, 9), (20, 29)], &[(5, 24)], &[(0, 4), (25, 29)]),
            (
                &[(5, u32::MAX)],
                &[(0, 5), (u32::MAX, u32::MAX)],
                &[(6, u32::MAX - 1)],
            ),
        ];
        for (whole, hole, expected) in rows {
            assert_eq!(set(whole).minus(&set(hole), |p| p - 1).as_slice(), expected);
        }
    }

    #[test]
    fn networks_become_ranges_of_their_family_only() {
        let nets: Vec<IpNetwork> = [
            "192.0.2.0/24",
            "2001:db8::/32",
            "198.51.100.7/32",
            "0.0.0.0/0",
        ]
        .iter()
        .map(|net| net.parse().expect("a network"))
        .collect();
        assert_eq!(
            RangeSet::<u32>::of_nets(&nets[..3]).as_slice(),
            [(0xc000_0200, 0xc000_02ff), (0xc633_6407, 0xc633_6407)]
        );
        assert_eq!(RangeSet::<u32>::of_nets(&nets).as_slice(), [(0, u32::MAX)]);
        let v6 = RangeSet::<u128>::of_nets(&nets);
        assert_eq!(v6.as_slice().len(), 1);
        assert_eq!(v6.as_slice()[0].0, 0x2001_0db8_u128 << 96);
        assert_eq!(v6.as_slice()[0].1, (0x2001_0db9_u128 << 96) - 1);
    }
}
