//! Flows: listed, swept, forgotten, carried over to a table of another size.

use std::{path::Path, thread, time::Duration};

use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use hep_common::{
    Family,
    conntrack::{Conn, ConnKey4, ConnKey6, FLAG_OPENED_BY_A, LAYOUT_VERSION, State, leg},
    fragment::{FragmentKey, FragmentVerdict},
    protocol,
    tick::{TICK_NS, Tick},
};
use hep_userspace::datapath::{
    FlowRoom, Home, Kernel, KernelError, LoadOptions, Maps, SweepCursor, monotonic_ns,
    version_directory,
};

use crate::fixture::{Fixture, generation};

/// Writes into a pinned map, as the programs do.
fn write<K: Pod, V: Pod>(pins: &Path, map: &str, entries: impl IntoIterator<Item = (K, V)>) {
    let pin = version_directory(pins).join(map);
    let data = MapData::from_pin(pin).expect("is pinned");
    let mut map = Map::from_map_data(data).expect("is a map");
    let mut map: HashMap<_, K, V> = (&mut map).try_into().expect("is a hash");
    for (key, value) in entries {
        map.insert(key, value, 0).expect("has room");
    }
}

fn key4(number: u32) -> ConnKey4 {
    let other = (0xc633_6400 + number).to_be_bytes();
    ConnKey4::of(protocol::UDP, ([192, 0, 2, 1], 53), (other, 40_000)).0
}

fn key6(number: u32) -> ConnKey6 {
    let mut other = [0; 16];
    other[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    other[12..].copy_from_slice(&number.to_be_bytes());
    ConnKey6::of(protocol::UDP, ([0; 16], 53), (other, 40_000)).0
}

/// The clock at `time` before now. On a machine that was just started it waits, since the clock has no
/// earlier time.
pub(crate) fn ago_ns(time: Duration) -> u64 {
    let running = Duration::from_nanos(monotonic_ns());
    thread::sleep(time.saturating_sub(running));
    let time_ns = u64::try_from(time.as_nanos()).expect("fits");
    monotonic_ns().saturating_sub(time_ns)
}

/// A UDP flow, 60 s of idle time allowed, last seen so long ago.
fn idle_for(idle: Duration) -> Conn {
    Conn {
        last_seen: Tick::at(ago_ns(idle)),
        legs: [leg::SEEN, 0],
        flags: FLAG_OPENED_BY_A,
        protocol: protocol::UDP,
        generation: 1,
        ifindexes: [3, 0],
        slots: [1, 0],
        ..Conn::default()
    }
}

const LIVE: Duration = Duration::from_secs(5);
const EXPIRED: Duration = Duration::from_secs(90);

/// A kernel with one generation, and room for `flows` flows.
fn open(fixture: &Fixture, flows: u32) -> Kernel {
    Kernel::open(&LoadOptions {
        flows: FlowRoom::uniform(flows),
        ..fixture.options()
    })
    .expect("opens")
}

fn applied(fixture: &Fixture, flows: u32) -> Kernel {
    let mut kernel = open(fixture, flows);
    kernel.apply(&mut generation("node", 1)).expect("applies");
    kernel
}

#[test]
fn flows_of_both_families_and_homes_are_listed_unless_expired() {
    let fixture = Fixture::new();
    let kernel = applied(&fixture, 1024);
    let pins = fixture.pins();
    write(&pins, "ASSURED4", [(key4(1), idle_for(LIVE))]);
    write(&pins, "UNASSURED", [(key4(2).widened(), idle_for(EXPIRED))]);
    write(&pins, "ASSURED6", [(key6(3), idle_for(EXPIRED))]);
    write(&pins, "UNASSURED", [(key6(4), idle_for(LIVE))]);

    let flows = kernel.maps().flows().expect("reads");
    let found: Vec<_> = flows.iter().map(|flow| (flow.family, flow.home)).collect();
    assert_eq!(
        found,
        [(Family::V4, Home::Assured), (Family::V6, Home::Unassured)]
    );
    for flow in &flows {
        assert_eq!(flow.state, State::New);
        let told_at_least = LIVE - 2 * Duration::from_nanos(TICK_NS);
        assert!(
            (told_at_least..EXPIRED).contains(&flow.idle),
            "{:?}",
            flow.idle
        );
        assert_eq!(flow.idle_limit, Duration::from_secs(60));
        assert_eq!(flow.approvals[0].map(|approval| approval.ifindex), Some(3));
        assert_eq!(flow.approvals[1], None);
    }
    let addresses = flows.iter().map(|flow| flow.responder.address.to_string());
    assert_eq!(
        addresses.collect::<Vec<_>>(),
        ["198.51.100.1", "2001:db8::4"]
    );
}

#[test]
fn a_sweep_removes_what_expired_and_nothing_else() {
    let fixture = Fixture::new();
    let kernel = applied(&fixture, 65_536);
    let pins = fixture.pins();
    let aged = |number: u32| {
        if number.is_multiple_of(3) {
            LIVE
        } else {
            EXPIRED
        }
    };
    let ages = |number| idle_for(aged(number));
    write(&pins, "ASSURED4", (0..9000).map(|n| (key4(n), ages(n))));
    write(&pins, "UNASSURED", (0..30).map(|n| (key6(n), ages(n))));
    let seen = |idle: Duration| FragmentVerdict {
        seen_ns: ago_ns(idle),
        ..FragmentVerdict::default()
    };
    let fragment = |id| FragmentKey {
        id,
        ..FragmentKey::default()
    };
    write(
        &pins,
        "FRAGMENTS",
        [(fragment(1), seen(LIVE)), (fragment(2), seen(EXPIRED))],
    );

    let mut cursor = SweepCursor::default();
    let (mut removed, mut slices) = (0, 0);
    loop {
        let swept = kernel.maps().sweep_slice(&mut cursor).expect("sweeps");
        assert!(swept.seen <= 5000, "a slice is small: {swept:?}");
        removed += swept.removed;
        slices += 1;
        if swept.round_ended {
            break;
        }
    }
    assert_eq!(removed, 6000 + 20 + 1);
    assert!(
        slices >= 7,
        "five tables, the large one in slices: {slices}"
    );
    assert_eq!(kernel.maps().flows().expect("reads").len(), 3000 + 10);
    let fragments = MapData::from_pin(version_directory(&pins).join("FRAGMENTS"));
    let map = Map::from_map_data(fragments.expect("is pinned")).expect("is a map");
    let map: HashMap<_, FragmentKey, FragmentVerdict> = (&map).try_into().expect("is a hash");
    let keys: Vec<_> = map.keys().map(|key| key.expect("reads").id).collect();
    assert_eq!(keys, [1]);
}

#[test]
fn without_a_generation_nothing_is_swept() {
    let fixture = Fixture::new();
    let kernel = open(&fixture, 1024);
    write(&fixture.pins(), "ASSURED4", [(key4(1), idle_for(EXPIRED))]);
    let swept = kernel.maps().sweep_slice(&mut SweepCursor::default());
    let swept = swept.expect("is no error");
    assert!(swept.round_ended && swept.removed == 0);
}

#[test]
fn clearing_forgets_every_flow() {
    let fixture = Fixture::new();
    let mut kernel = applied(&fixture, 65_536);
    let pins = fixture.pins();
    write(
        &pins,
        "ASSURED4",
        (0..9000).map(|n| (key4(n), idle_for(LIVE))),
    );
    write(&pins, "UNASSURED", [(key6(1), idle_for(LIVE))]);
    kernel.clear_flows().expect("clears");
    assert_eq!(kernel.maps().flows().expect("reads"), []);
}

#[test]
fn flows_survive_a_change_of_the_tables_size() {
    let fixture = Fixture::new();
    let pins = fixture.pins();
    drop(applied(&fixture, 1024));
    let numbers = 0..500;
    let entries = |numbers: std::ops::Range<u32>| numbers.map(|n| (key4(n), idle_for(LIVE)));
    write(&pins, "ASSURED4", entries(numbers.clone()));
    write(
        &pins,
        "ASSURED6",
        numbers.map(|n| (key6(n), idle_for(LIVE))),
    );
    let before = MapData::from_pin(version_directory(&pins).join("ASSURED4")).expect("is pinned");

    let mut kernel = open(&fixture, 4096);
    assert_eq!(kernel.maps().flows().expect("reads").len(), 1000);
    assert_eq!(kernel.maps().control().expect("reads").generation, 1);

    // A program that is still attached puts a flow into the table that it knows.
    let mut map = Map::from_map_data(before).expect("is a map");
    let mut map: HashMap<_, ConnKey4, Conn> = (&mut map).try_into().expect("is a hash");
    map.insert(key4(777), idle_for(LIVE), 0).expect("has room");
    kernel.finish_adoption().expect("copies");
    drop(kernel);

    let maps = Maps::open(&pins).expect("opens");
    assert_eq!(maps.flows().expect("reads").len(), 1001);
    let files = std::fs::read_dir(version_directory(&pins)).expect("lists");
    let aside = files.filter(|file| {
        let name = file.as_ref().expect("entry").file_name();
        name.to_string_lossy().ends_with("_old")
    });
    assert_eq!(aside.count(), 0);
}

/// The pins of this version become those of another one; returns their directory.
pub(crate) fn of_another_version(pins: &Path) -> std::path::PathBuf {
    let other = pins.join("v4711");
    std::fs::rename(version_directory(pins), &other).expect("renames");
    other
}

/// EV-191: another `ABI_VERSION` takes the flows over, and has each judged again by its own rules.
#[test]
fn flows_survive_a_change_of_the_abi_version() {
    let fixture = Fixture::new();
    let pins = fixture.pins();
    drop(applied(&fixture, 1024));
    write(&pins, "ASSURED4", [(key4(1), idle_for(LIVE))]);
    write(&pins, "ASSURED6", [(key6(1), idle_for(LIVE))]);
    write(&pins, "UNASSURED", [(key4(2).widened(), idle_for(LIVE))]);
    let other = of_another_version(&pins);
    let unreadable = Maps::open(&pins);
    assert!(matches!(unreadable, Err(KernelError::OtherVersion(found)) if found == other));

    let mut kernel = applied(&fixture, 1024);
    assert!(!kernel.is_cold().expect("reads"));
    let flows = kernel.maps().flows().expect("reads");
    assert_eq!(flows.len(), 3);
    for flow in &flows {
        let approval = flow.approvals[0].expect("was approved");
        assert_eq!((approval.ifindex, flow.generation), (3, 0));
    }
    assert!(matches!(fixture.open(), Err(KernelError::Busy(_))));

    // A program of the other version that is still attached goes on with its own tables.
    let late = MapData::from_pin(other.join("ASSURED4")).expect("is pinned");
    let mut late = Map::from_map_data(late).expect("is a map");
    let mut late: HashMap<_, ConnKey4, Conn> = (&mut late).try_into().expect("is a hash");
    late.insert(key4(777), idle_for(LIVE), 0).expect("has room");
    kernel.finish_adoption().expect("copies");
    assert_eq!(kernel.maps().flows().expect("reads").len(), 4);
    assert!(!other.exists());
}

/// EV-158: where flows cannot be read, the connections of the host are found by its sockets.
#[test]
fn flows_of_an_unknown_layout_leave_a_cold_start() {
    let fixture = Fixture::new();
    let pins = fixture.pins();
    drop(applied(&fixture, 1024));
    write(&pins, "ASSURED4", [(key4(1), idle_for(LIVE))]);
    let other = of_another_version(&pins);
    let noted = other.join(format!("flows-{LAYOUT_VERSION}"));
    std::fs::rename(noted, other.join("flows-4711")).expect("renames");

    let mut kernel = open(&fixture, 1024);
    assert!(kernel.is_cold().expect("reads"));
    kernel.apply(&mut generation("node", 1)).expect("applies");
    kernel.finish_adoption().expect("removes");
    assert_eq!(kernel.maps().flows().expect("reads"), []);
    assert!(!other.exists());
}

/// Two daemons for one directory are refused whatever their versions are.
#[test]
fn a_directory_that_another_version_holds_is_refused() {
    let fixture = Fixture::new();
    let pins = fixture.pins();
    let _held = applied(&fixture, 1024);
    of_another_version(&pins);
    assert!(matches!(fixture.open(), Err(KernelError::Busy(_))));
    assert!(matches!(
        hep_userspace::datapath::remove(&pins),
        Err(KernelError::Busy(_))
    ));
}
