//! Long IPv6 sets of many shapes, before and after a change: each packet is judged as by a list of their
//! networks (EV-190).

use std::net::{IpAddr, Ipv6Addr};

use hep_common::counter::Reason;
use hep_tests::{
    bench::{Bench, INGRESS},
    packet,
    policy::eth0,
};

use crate::deltas::members_pass;

/// Members of a set.
const MEMBERS: u128 = 1000;
/// One in `STEP` members, and its neighbours, is the source of a packet.
const STEP: usize = 53;

/// The /32 that the sets are in.
const BLOCK: u128 = 0x2001_0db8 << 96;

/// A network: its first and last address.
type Network = (u128, u128);

/// A shape's name, and member `number` of a set of that shape.
type Shape = (&'static str, fn(u128) -> Network);

const SHAPES: [Shape; 6] = [
    ("scattered", |number| member(scattered(number), number)),
    ("neighbours", |number| {
        member(0x7654_0000 + 2 * number, number)
    }),
    ("clusters", |number| {
        member(scattered(number % 7) + number, number)
    }),
    ("in one /64", |number| {
        network(BLOCK | 1 << 64 | number << 40, 120)
    }),
    ("two in each /64", |number| {
        network(
            BLOCK | 7 << 80 | (number / 2) << 64 | (number % 2) << 9,
            128,
        )
    }),
    ("nested", |number| {
        let bits = 36 + u32::try_from(number % 90).expect("it is small");
        network(BLOCK | scattered(number % 11) << 64 | 1 << 63, bits)
    }),
];

/// Numbers all over the low 31 bits.
const fn scattered(number: u128) -> u128 {
    number * 0x9e37_79b1 % 0x8000_0000
}

/// A host or a network in a /64, or a few /64s.
fn member(block: u128, number: u128) -> Network {
    let [kind, low] = [number % 5, number / 5 % 4];
    let low = match low {
        3 => u128::from(u64::MAX),
        low => 3 * low,
    };
    let bits = match kind {
        0 | 1 => 128,
        2 => 64,
        3 => 127,
        _ => 62,
    };
    network(BLOCK | block << 64 | low, bits)
}

/// The network of `bits` bits around an address.
fn network(address: u128, bits: u32) -> Network {
    let below = u128::MAX.checked_shr(bits).unwrap_or(0);
    (address & !below, address | below)
}

fn resources(nets: &[Network]) -> Vec<String> {
    let nets: Vec<String> = nets
        .iter()
        .map(|&(first, last)| {
            let bits = (first ^ last).leading_zeros();
            format!("{}/{bits}", Ipv6Addr::from_bits(first))
        })
        .collect();
    members_pass(&nets)
}

/// The edges of a network and their neighbours.
fn edges(&(first, last): &Network) -> [u128; 5] {
    [first - 1, first, first + 1, last, last + 1]
}

#[test]
fn a_long_set_holds_its_members_and_no_others_whatever_its_shape() {
    let host: IpAddr = "2001:db8::10".parse().expect("an address");
    let mut bench = Bench::with(&[eth0()]);
    for (shape, member) in SHAPES {
        let mut nets: Vec<Network> = (0..MEMBERS).map(member).collect();
        let newcomers: Vec<Network> = (MEMBERS..MEMBERS + 5).map(member).collect();
        let asked = nets.iter().step_by(STEP).chain(&newcomers);
        let asked: Vec<u128> = asked.flat_map(edges).collect();
        let check = |bench: &mut Bench, nets: &[Network]| {
            bench.apply(&resources(nets));
            let rows: Vec<_> = asked
                .iter()
                .map(|address| {
                    let is_in = |net: &Network| (net.0..=net.1).contains(address);
                    let reason = if nets.iter().any(is_in) {
                        Reason::PolicyAllow
                    } else {
                        Reason::TierDefault
                    };
                    let address = Ipv6Addr::from_bits(*address);
                    (shape, INGRESS, packet::tcp(address.into(), host), reason)
                })
                .collect();
            let allowed = rows.iter().filter(|row| row.3 == Reason::PolicyAllow);
            let both = 1..rows.len();
            assert!(both.contains(&allowed.count()), "{shape}: both verdicts");
            bench.expect(&rows);
        };
        check(&mut bench, &nets);
        nets.extend(&newcomers);
        check(&mut bench, &nets);
        nets.drain(..20);
        check(&mut bench, &nets);
    }
}
