//! Counters, and what becomes of them when their number gets another owner.

use std::path::Path;

use aya::{
    Pod,
    maps::{Map, MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use hep_common::counter::{COUNTERS_LEN, Counter, Counters};
use hep_userspace::datapath::version_directory;

use crate::ground::{Ground, generation};

const ONE: Counter = Counter {
    packets: 1,
    bytes: 100,
};

/// Writes the same value for every CPU.
fn write<V: Pod>(pins: &Path, map: &str, index: u32, value: V) -> u64 {
    let cpus = nr_cpus().expect("number of CPUs");
    let pin = version_directory(pins).join(map);
    let map = MapData::from_pin(pin).and_then(Map::from_map_data);
    let mut map = map.expect("is pinned");
    let mut map: PerCpuArray<_, V> = (&mut map).try_into().expect("is a per-CPU array");
    let values = PerCpuValues::try_from(vec![value; cpus]).expect("one for each CPU");
    map.set(index, values, 0).expect("writes");
    u64::try_from(cpus).expect("fits")
}

#[test]
fn counters_are_sums_over_the_cpus() {
    let ground = Ground::new();
    let kernel = ground.open().expect("opens");
    let cpus = write(&ground.pins(), "RULE_COUNTERS", 7, ONE);
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
    write(&ground.pins(), "COUNTERS", 3, counters);
    let sum = kernel.maps().counters(3).expect("reads");
    assert_eq!(sum.by_reason[COUNTERS_LEN - 1].packets, cpus);
    assert!(kernel.maps().counters(16).is_err());
}

#[test]
fn a_number_with_a_new_owner_counts_from_zero() {
    let ground = Ground::new();
    let mut kernel = ground.open().expect("opens");
    let counters = Counters {
        by_reason: [ONE; COUNTERS_LEN],
    };
    for index in 0..6 {
        write(&ground.pins(), "RULE_COUNTERS", index, ONE);
        write(&ground.pins(), "COUNTERS", index, counters);
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
