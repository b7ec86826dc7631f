//! State that a later process finds.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use aya::maps::{Array, Map, MapData};
use hep_common::local::{LocalAddress, QuickLocal};
use hep_userspace::datapath::{self, Kernel, KernelError, Maps, version_directory};

use crate::fixture::{Fixture, generation, mounts_at};

#[test]
fn a_later_process_adopts_the_generation_in_force() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let mut first = generation("first", 2);
    kernel.apply(&mut first).expect("applies");
    drop(kernel);

    let maps = Maps::open(&fixture.pins()).expect("opens without a daemon");
    assert_eq!(maps.description().expect("reads"), first.description);

    let mut kernel = fixture.open().expect("adopts");
    assert_eq!(kernel.maps().control().expect("reads").generation, 1);
    let applied = kernel.apply(&mut first).expect("applies");
    assert_eq!(applied.generation, 2);
    assert!(
        applied
            .tables
            .iter()
            .all(|table| table.shared || table.map == "DESCRIPTION"),
        "{applied:?}"
    );
}

#[test]
fn two_writers_at_once_are_refused() {
    let fixture = Fixture::new();
    let _kernel = fixture.open().expect("opens");
    assert!(matches!(fixture.open(), Err(KernelError::Busy(_))));
    assert!(matches!(
        datapath::remove(&fixture.pins()),
        Err(KernelError::Busy(_))
    ));
}

#[test]
fn removing_leaves_neither_pins_nor_mounts() {
    let fixture = Fixture::new();
    let pins = fixture.pins();
    let mut kernel = fixture.open().expect("opens");
    kernel.apply(&mut generation("node", 1)).expect("applies");
    assert_eq!(mounts_at(&pins), 1);
    drop(kernel);

    datapath::remove(&pins).expect("removes");
    assert_eq!(mounts_at(&pins), 0);
    assert!(!pins.exists());
    assert!(matches!(Maps::open(&pins), Err(KernelError::NotPinned(_))));
    datapath::remove(&pins).expect("nothing to remove is fine");
}

#[test]
fn own_addresses_are_replaced_as_a_whole() {
    let mut kernel = Kernel::open(&crate::fixture::unpinned()).expect("opens");
    let set = |texts: &[&str]| -> BTreeSet<IpAddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("is an address"))
            .collect()
    };
    for addresses in [
        set(&["192.0.2.1", "2001:db8::1"]),
        set(&["2001:db8::1", "2001:db8::2", "198.51.100.1"]),
        set(&[]),
    ] {
        kernel.set_local(&addresses.clone().into()).expect("writes");
        assert_eq!(kernel.maps().local().expect("reads"), addresses);
    }
}

/// Of own addresses with one place, one is there; no earlier ones remain.
#[test]
fn own_addresses_are_quickly_found_at_their_places() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let pin = version_directory(&fixture.pins()).join("QUICK_LOCAL");
    let map = Map::from_map_data(MapData::from_pin(pin).expect("is pinned")).expect("is a map");
    let map = Array::<_, QuickLocal>::try_from(map).expect("is an array");
    for (texts, places) in [
        (&["192.0.2.10", "192.0.3.11", "2001:db8::1"][..], 2),
        (&["192.0.3.11"], 1),
        (&[], 0),
    ] {
        let addresses: BTreeSet<IpAddr> = texts
            .iter()
            .map(|text| text.parse().expect("is an address"))
            .collect();
        kernel.set_local(&addresses.clone().into()).expect("writes");
        let quick = map.get(&0, 0).expect("reads").addresses;
        let found: Vec<(usize, LocalAddress)> = (0..)
            .zip(quick)
            .filter(|(_, address)| *address != LocalAddress::default())
            .collect();
        assert_eq!(found.len(), places, "{texts:?}");
        for (place, address) in found {
            let own = Ipv6Addr::from(address.address).to_canonical();
            assert!(addresses.contains(&own), "{own}");
            assert_eq!(address.place(), place);
        }
    }
}
