//! Counters, and what becomes of them when their number gets another owner.

use std::path::Path;

use aya::{
    Pod,
    maps::{ArrayOfMaps, Map, MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use hep_common::counter::{
    COUNTERS_LEN, COUNTERS_PER_PIECE, Counter, Counters, RULE_SLOTS_PER_PIECE,
};
use hep_userspace::datapath::version_directory;

use crate::fixture::{Fixture, generation};

const ONE: Counter = Counter {
    packets: 1,
    bytes: 100,
};

/// Opens a pinned map.
fn open(pins: &Path, map: &str) -> Map {
    let pin = version_directory(pins).join(map);
    let map = MapData::from_pin(pin).and_then(Map::from_map_data);
    map.expect("is pinned")
}

/// The piece of an outer map that holds an index, if it was made.
fn piece(pins: &Path, map: &str, number: u32) -> Option<Map> {
    let outer = open(pins, map);
    let outer: ArrayOfMaps<&MapData, MapData> = (&outer).try_into().expect("is an outer map");
    let inner = outer.get(&number, 0).ok()?;
    Some(Map::from_map_data(inner).expect("is a map"))
}

/// Writes the same value for every CPU.
fn write<V: Pod>(map: &mut Map, index: u32, value: V) -> u64 {
    let cpus = nr_cpus().expect("number of CPUs");
    let mut map: PerCpuArray<_, V> = map.try_into().expect("is a per-CPU array");
    let values = PerCpuValues::try_from(vec![value; cpus]).expect("one for each CPU");
    map.set(index, values, 0).expect("writes");
    u64::try_from(cpus).expect("fits")
}

#[test]
fn counters_are_sums_over_the_cpus() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let mut next = generation("node", 1);
    next.description.slots.rules.unused_from = 9;
    kernel.apply(&mut next).expect("applies");
    let mut rules = piece(&fixture.pins(), "RULE_COUNTERS", 0).expect("was made");
    let cpus = write(&mut rules, 7, ONE);
    let sums = kernel.maps().rule_counters([7, 8]).expect("reads");
    assert_eq!(
        sums[&7],
        Counter {
            packets: cpus,
            bytes: 100 * cpus
        }
    );
    assert_eq!(sums[&8], Counter::default());

    let counters = Counters {
        by_reason: [ONE; COUNTERS_LEN],
    };
    write(&mut open(&fixture.pins(), "COUNTERS"), 3, counters);
    let sum = kernel.maps().counters(3).expect("reads");
    assert_eq!(sum.by_reason[COUNTERS_LEN - 1].packets, cpus);
    let in_no_piece = kernel.maps().counters(COUNTERS_PER_PIECE).expect("reads");
    assert_eq!(in_no_piece.by_reason[0], Counter::default());
}

#[test]
fn ev_263_pieces_of_counters_are_made_as_policies_need_them() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let mut made = Vec::new();
    for (slots, interfaces) in [
        (1, 1),
        (RULE_SLOTS_PER_PIECE, 1),
        (RULE_SLOTS_PER_PIECE + 1, 60),
    ] {
        let mut next = generation("node", 1);
        next.description.slots.rules.unused_from = slots;
        next.description.slots.interfaces.unused_from = interfaces;
        kernel.apply(&mut next).expect("applies");
        let has = |map, number| piece(&fixture.pins(), map, number).is_some();
        made.push([
            has("RULE_COUNTERS", 0),
            has("RULE_COUNTERS", 1),
            has("MORE_COUNTERS", 0),
        ]);
    }
    assert_eq!(
        made,
        [
            [true, false, false],
            [true, false, false],
            [true, true, true]
        ]
    );
    // What a piece counts is found, and goes on with the next generation.
    let mut second = piece(&fixture.pins(), "RULE_COUNTERS", 1).expect("was made");
    let cpus = write(&mut second, 5, ONE);
    kernel.apply(&mut generation("node", 1)).expect("applies");
    let slot = RULE_SLOTS_PER_PIECE + 5;
    let sums = kernel.maps().rule_counters([slot]).expect("reads");
    assert_eq!(sums[&slot].packets, cpus);
}

#[test]
fn a_number_with_a_new_owner_counts_from_zero() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let counters = Counters {
        by_reason: [ONE; COUNTERS_LEN],
    };
    let mut first = generation("node", 1);
    first.description.slots.rules.unused_from = 6;
    kernel.apply(&mut first).expect("applies");
    let mut rules = piece(&fixture.pins(), "RULE_COUNTERS", 0).expect("was made");
    for index in 0..6 {
        write(&mut rules, index, ONE);
        write(&mut open(&fixture.pins(), "COUNTERS"), index, counters);
    }
    let mut next = generation("node", 1);
    next.description.slots.rules.reused = vec![2];
    next.description.slots.interfaces.reused = vec![1];
    kernel.apply(&mut next).expect("applies");

    let rules = kernel.maps().rule_counters(0..6).expect("reads");
    let zeroed = rules.iter().filter(|(_, counter)| counter.packets == 0);
    assert_eq!(zeroed.map(|(slot, _)| *slot).collect::<Vec<_>>(), [2]);
    let zeroed = (0..6).filter(|index| {
        let counters = kernel.maps().counters(*index).expect("reads");
        counters.by_reason[0].packets == 0
    });
    assert_eq!(zeroed.collect::<Vec<_>>(), [2, 3]);
}
