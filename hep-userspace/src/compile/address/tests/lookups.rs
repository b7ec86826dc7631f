//! Look-ups in the tables against the partition that they were built from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hep_common::address::{Range6Mid, Range6Top, TARGET_IS_HOST, TARGET_IS_RUN};
use ipnetwork::IpNetwork;
use proptest::prelude::*;

use super::super::{AddressTables, Layout as _, Layout4, Layout6};
use crate::compile::{
    RuleTables,
    classes::partition::partition,
    sets::ranges::RangeSet,
    tests::{
        fixture::{compiled, snapshot},
        walker::address_class,
    },
};

/// Tables with nothing in them but the address classes of these sets.
fn tables(sets: &[Vec<IpNetwork>]) -> (RuleTables, [Vec<Vec<u16>>; 2]) {
    let v4: Vec<RangeSet<u32>> = sets.iter().map(RangeSet::of_nets).collect();
    let v6: Vec<RangeSet<u128>> = sets.iter().map(RangeSet::of_nets).collect();
    let partition4 = partition(v4).expect("few classes");
    let partition6 = partition(v6).expect("few classes");
    let mut tables = compiled(&snapshot()).tables;
    tables.addresses = AddressTables::of(
        &Layout4::new(&partition4.ranges),
        &Layout6::new(&partition6.ranges),
    );
    (
        tables,
        [partition4.classes_of_set, partition6.classes_of_set],
    )
}

/// The sets that hold an address, from its class and naively.
fn holding(
    sets: &[Vec<IpNetwork>],
    tables: &RuleTables,
    classes_of_set: &[Vec<Vec<u16>>; 2],
    address: IpAddr,
) -> (Vec<usize>, Vec<usize>) {
    let class = u16::try_from(address_class(tables, address)).expect("a class");
    let classes_of_set = &classes_of_set[usize::from(address.is_ipv6())];
    let by_class = (0..sets.len()).filter(|set| classes_of_set[*set].contains(&class));
    let naive = (0..sets.len()).filter(|set| sets[*set].iter().any(|net| net.contains(address)));
    (by_class.collect(), naive.collect())
}

/// The first and last address of a network and their neighbours.
fn edges(net: &IpNetwork) -> Vec<IpAddr> {
    match net {
        IpNetwork::V4(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
                .into()
        }
        IpNetwork::V6(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
                .into()
        }
    }
}

/// Prefix lengths, most often at and beside the borders of the stages.
fn prefix(most: u8) -> impl Strategy<Value = u8> {
    let borders = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128];
    let borders: Vec<u8> = borders.into_iter().filter(|bits| *bits <= most).collect();
    prop_oneof![proptest::sample::select(borders), 0..=most]
}

/// Networks that nest, touch and repeat: few distinct bits.
fn some_net() -> impl Strategy<Value = IpNetwork> {
    let v4 = (prefix(32), 0..4_u32, 0..4_u32, 0..4_u32).prop_map(|(bits, a, b, c)| {
        let address = a << 30 | b << 15 | c | if c == 3 { 0xffff } else { 0 };
        net(IpAddr::from(Ipv4Addr::from_bits(address)), bits)
    });
    let v6 =
        (prefix(128), 0..3_u128, 0..4_u128, 0..4_u128, 0..4_u128).prop_map(|(bits, a, b, c, d)| {
            let low = if d == 3 { u128::from(u64::MAX) } else { d };
            let address = a << 126 | b << 111 | b << 95 | c << 64 | c << 62 | low;
            net(IpAddr::from(Ipv6Addr::from_bits(address)), bits)
        });
    prop_oneof![v4, v6]
}

fn net(address: IpAddr, bits: u8) -> IpNetwork {
    let net = IpNetwork::new(address, bits).expect("a prefix length of the family");
    IpNetwork::new(net.network(), bits).expect("as above")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_class_of_an_address_names_the_sets_that_hold_it(
        sets in proptest::collection::vec(proptest::collection::vec(some_net(), 0..12), 1..6),
        others in proptest::collection::vec((any::<u32>(), any::<u128>()), 8),
    ) {
        let (tables, classes_of_set) = tables(&sets);
        let random = others.iter().flat_map(|(v4, v6)| {
            [IpAddr::from(Ipv4Addr::from_bits(*v4)), IpAddr::from(Ipv6Addr::from_bits(*v6))]
        });
        let addresses = sets.iter().flatten().flat_map(edges).chain(random);
        for address in addresses {
            let (by_class, naive) = holding(&sets, &tables, &classes_of_set, address);
            prop_assert_eq!(by_class, naive, "{}", address);
        }
    }
}

#[test]
fn whole_roots_need_no_ranges_and_others_start_at_their_first_address() {
    let four = Layout4::new(&[(0, 0), (0x0a00_0000, 1), (0x0a01_0000, 0), (0x0a01_8000, 2)]);
    let root = |top: usize| (four.roots[top].first, four.roots[top].len);
    assert_eq!(
        [root(0x0a00), root(0x0a01), root(0x0a02)],
        [(1, 0), (0, 2), (2, 0)]
    );
    let ranges = four.ranges.ranges();
    assert_eq!([ranges[0].start, ranges[1].start], [0, 0x8000]);
    assert_eq!([ranges[0].class, ranges[1].class], [0, 2]);
}

#[test]
fn a_host_route_of_ipv6_takes_a_lead_and_a_range() {
    let host = 0x2001_0db8_0000_0001_0000_0000_0000_0007_u128;
    let six = Layout6::new(&[(0, 0), (host, 1), (host + 1, 0)]);
    // Behind the lead.
    assert_eq!((six.roots[0x2001].first, six.roots[0x2001].len), (1, 3));
    let stages = &six.stages;
    let top: Vec<_> = stages.top.run(0, 4).collect();
    let range = |start, target| Range6Top { start, target };
    assert_eq!(
        top,
        [
            Range6Top::lead(0, 2),
            range(0, 0),
            range(0x0db8, TARGET_IS_RUN),
            range(0x0db9, 0)
        ]
    );
    let mid: Vec<_> = stages.mid.run(0, 2).collect();
    let range = |start, target, more| Range6Mid {
        start,
        target,
        more,
    };
    assert_eq!(mid, [range(0, 0, 0), range(1, 1 | TARGET_IS_HOST, 7)]);
    assert_eq!(stages.low.held(), 0);
}

/// However many addresses the other /64s of its /32 hold.
#[test]
fn one_address_has_only_its_own_64_looked_at() {
    let block = |number: u128| 0x2001_0db8_u128 << 96 | number << 64;
    for blocks in [3, 2000] {
        let hosts = (0..blocks).flat_map(|number| {
            let host = block(number) | 7;
            [(host, 1), (host + 1, 0)]
        });
        let partition: Vec<_> = std::iter::once((0, 0)).chain(hosts).collect();
        let six = Layout6::new(&partition);
        let joins = block(1) | 9;
        let mut asked = Vec::new();
        let changed = six.changed(&[(joins, joins)], &mut |first, last| {
            asked.push((first, last));
            let host = block(1) | 7;
            let (before, after) = ((first, 0), (joins + 1, 0));
            Some(vec![before, (host, 1), (host + 1, 0), (joins, 1), after])
        });
        assert_eq!(asked, [(block(1), block(2) - 1)], "of {blocks}");
        let mut tables = compiled(&snapshot()).tables;
        tables.addresses = AddressTables::of(
            &Layout4::new(&[(0, 0)]),
            &changed.expect("it is a small change"),
        );
        for (number, low, class) in [
            (0, 7, 1),
            (1, 7, 1),
            (1, 8, 0),
            (1, 9, 1),
            (1, 10, 0),
            (2, 7, 1),
        ] {
            let address = Ipv6Addr::from_bits(block(number) | low);
            assert_eq!(address_class(&tables, address.into()), class, "{address}");
        }
    }
}
