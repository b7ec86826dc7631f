//! Bringing generations into force: all or nothing.

use std::io;

use aya::maps::{Array, Map, MapData};
use hep_common::{
    address::{ROOT_LEN, Run},
    counter::COUNTERS_PER_PIECE,
    endpoint::{Interface, QUICK_INTERFACES, quick_place},
    named_port::NamedPortKey,
    settings::Settings,
};
use hep_userspace::datapath::{
    Applied, Kernel, KernelError, Maps, Observer, Step, version_directory,
};

use crate::fixture::{Fixture, generation, unpinned};

/// Steps that were announced; stops before the `stop`th, counted from 0.
struct StopAt {
    steps: Vec<Step>,
    stop: Option<usize>,
}

impl Observer for StopAt {
    fn before(&mut self, step: Step) -> io::Result<()> {
        if self.stop == Some(self.steps.len()) {
            return Err(io::Error::other("injected"));
        }
        self.steps.push(step);
        Ok(())
    }
}

fn shared(applied: &Applied) -> Vec<&'static str> {
    let tables = applied.tables.iter().filter(|table| table.shared);
    tables.map(|table| table.map).collect()
}

#[test]
fn generations_come_into_force_one_after_the_other() {
    let mut kernel = Kernel::open(&unpinned()).expect("opens");
    assert_eq!(kernel.maps().control().expect("reads").generation, 0);
    assert!(matches!(
        kernel.maps().description(),
        Err(KernelError::NoGeneration)
    ));

    for number in 1..=4 {
        let mut generation = generation(&format!("node-{number}"), number as usize);
        generation.tables.settings.log_rate = number;
        let applied = kernel.apply(&mut generation).expect("applies");

        assert_eq!(applied.generation, number);
        assert_eq!(kernel.maps().control().expect("reads").generation, number);
        assert_eq!(
            kernel.maps().settings().expect("reads"),
            Settings {
                same_since: number,
                ..generation.tables.settings
            }
        );
        let description = kernel.maps().description().expect("reads");
        assert_eq!(description, generation.description);
        assert_eq!(description.generation, number);
        assert!(description.applied_unix_ms > 0);
    }
}

#[test]
fn tables_that_did_not_change_are_shared() {
    let mut kernel = Kernel::open(&unpinned()).expect("opens");
    let first = kernel.apply(&mut generation("a", 2)).expect("applies");
    assert_eq!(shared(&first), [""; 0]);

    let mut changed = generation("a", 3);
    changed.tables.rules[0].reason = 1;
    changed.tables.named_ports = vec![(NamedPortKey::default(), 7)];
    let second = kernel.apply(&mut changed).expect("applies");
    let own: Vec<_> = second
        .tables
        .iter()
        .filter(|table| !table.shared)
        .map(|table| table.map)
        .collect();
    assert_eq!(own, ["DESCRIPTION", "NAMED_PORTS", "POLICY", "RANGES4"]);

    let third = kernel.apply(&mut changed).expect("applies");
    assert_eq!(shared(&third).len(), third.tables.len() - 1);
}

/// The spare tables that wait for the next load are copies of those in force, from the first load on.
#[test]
fn already_the_second_load_writes_no_more_than_what_changed() {
    let mut kernel = Kernel::open(&unpinned()).expect("opens");
    let mut generation = generation("a", 2);
    let mut roots = vec![Run { first: 7, len: 0 }; ROOT_LEN as usize];
    generation.tables.addresses.roots4 = roots.clone().into();
    kernel.apply(&mut generation).expect("applies");

    roots[5].first = 8;
    generation.tables.addresses.roots4 = roots.into();
    let applied = kernel.apply(&mut generation).expect("applies");
    let written: Vec<_> = applied
        .tables
        .iter()
        .filter(|table| table.written > 0)
        .map(|table| (table.map, table.written))
        .collect();
    assert_eq!(written, [("DESCRIPTION", 1), ("ROOTS4", 1)]);
}

/// EV-190: whatever step fails, the generation before stays in force.
#[test]
fn a_fault_at_any_step_leaves_the_former_generation_in_force() {
    let fixture = Fixture::new();
    let mut kernel = fixture.open().expect("opens");
    let mut former = generation("former", 2);
    former.tables.named_ports = vec![(NamedPortKey::default(), 7)];
    kernel.apply(&mut former).expect("applies");

    let mut next = generation("next", 5);
    next.tables.settings.log_rate = 99;
    next.tables.interfaces[0].flags = 4;
    let mut stop = 0;
    let steps = loop {
        let mut observer = StopAt {
            steps: Vec::new(),
            stop: Some(stop),
        };
        match kernel.apply_observed(&mut next, &mut observer) {
            Ok(_) => break observer.steps,
            Err(KernelError::Stopped { .. }) => {}
            Err(error) => panic!("step {stop}: {error}"),
        }
        let maps = Maps::open(&fixture.pins()).expect("opens the pins");
        assert_eq!(maps.control().expect("reads").generation, 1, "step {stop}");
        assert_eq!(
            maps.description().expect("reads"),
            former.description,
            "step {stop}"
        );
        assert_eq!(
            maps.settings().expect("reads"),
            Settings {
                same_since: 1,
                ..former.tables.settings
            },
            "step {stop}"
        );
        assert_eq!(next.description.generation, 0, "step {stop}");
        assert_eq!(maps.filled_slots(1).expect("reads").len(), 9, "step {stop}");
        assert_eq!(
            quick_interface(&fixture, 1, 1),
            former.tables.interfaces[0],
            "step {stop}"
        );
        stop += 1;
    };
    assert_eq!(
        steps.len(),
        18,
        "9 tables, 5 halves, counters, settings, check, flip"
    );
    assert_eq!(steps.last(), Some(&Step::Flip(2)));
    assert_eq!(kernel.maps().control().expect("reads").generation, 2);
    for slot in [0, 1] {
        assert_eq!(kernel.maps().filled_slots(slot).expect("reads").len(), 9);
        // Behind the flip, the idle half is made the same for the next load.
        assert_eq!(
            quick_interface(&fixture, slot, 1),
            next.tables.interfaces[0]
        );
    }
}

/// The interface that a generation's half of `QUICK_IFACES` has at the place of `ifindex`.
fn quick_interface(fixture: &Fixture, slot: u32, ifindex: u32) -> Interface {
    let pin = version_directory(&fixture.pins()).join("QUICK_IFACES");
    let map = Map::Array(MapData::from_pin(pin).expect("opens"));
    let array = Array::<_, Interface>::try_from(map).expect("is an array");
    let place = slot * QUICK_INTERFACES + quick_place(ifindex);
    array.get(&place, 0).expect("reads")
}

#[test]
fn tables_that_do_not_fit_are_refused_with_number_and_limit() {
    let mut kernel = Kernel::open(&unpinned()).expect("opens");
    kernel.apply(&mut generation("former", 1)).expect("applies");

    let mut too_many = generation("next", 1);
    too_many.tables.interfaces[0].counters = 2 * COUNTERS_PER_PIECE;
    let error = kernel.apply(&mut too_many).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "counters of interfaces: 258, and at most 256 fit"
    );
    assert_eq!(kernel.maps().control().expect("reads").generation, 1);
}
