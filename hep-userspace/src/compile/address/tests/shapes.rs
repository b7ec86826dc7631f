//! IPv6 sets of many shapes: look-ups from generation to generation against a list of ranges.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

use hep_common::address::{MAX_FORKS, Range6Top, TARGET_INDEX, TARGET_IS_RUN, Target};
use proptest::{prelude::*, sample::select};

use super::super::{
    AddressTables, Layout as _, Layout4, Layout6, stages::Stages, store::Table as _,
};
use crate::compile::{
    RuleTables,
    sets::ranges::RangeSet,
    tests::{
        fixture::{compiled, snapshot},
        walker::address_class,
    },
};

/// The /32 that most members are in.
const BLOCK: u128 = 0x2001_0db8 << 96;

/// Where members of a set are.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// In /64s anywhere in one /32.
    Scattered,
    /// In /64s one after the other.
    Neighbours,
    /// In /64s one after the other, here and there.
    Clusters,
    /// All in one /64.
    OneBlock,
    /// Of any length, all around one address.
    Nested,
    /// At the borders of what a number of some bits can be.
    Borders,
    /// Anywhere.
    Anywhere,
}

const SHAPES: [Shape; 7] = [
    Shape::Scattered,
    Shape::Neighbours,
    Shape::Clusters,
    Shape::OneBlock,
    Shape::Nested,
    Shape::Borders,
    Shape::Anywhere,
];

/// A number that looks random, as large as `bound` at most.
fn draw(seed: u64, which: u64, bound: u64) -> u64 {
    let mut mixed = seed.wrapping_add(which.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for multiplier in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ mixed >> 30).wrapping_mul(multiplier);
    }
    mixed ^= mixed >> 31;
    bound.checked_add(1).map_or(mixed, |count| mixed % count)
}

/// One of `some`.
fn pick<T: Copy>(seed: u64, which: u64, some: &[T]) -> T {
    let place = draw(seed, which, some.len() as u64 - 1);
    some[usize::try_from(place).expect("it is small")]
}

impl Shape {
    /// The first and last address of a member, from a random number.
    fn member(self, seed: u64) -> (u128, u128) {
        let block = match self {
            Self::Scattered => draw(seed, 0, u32::MAX.into()),
            Self::Neighbours => 0x1234_0000 + draw(seed, 0, 2999),
            Self::Clusters => (draw(seed, 0, 4) * 0x3e37_79b1) + draw(seed, 1, 199),
            Self::OneBlock => 7,
            Self::Nested => 0x8000_0001,
            Self::Borders => pick(
                seed,
                0,
                &[0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff],
            ),
            Self::Anywhere => {
                let [high, low] = [0, 1].map(|which| u128::from(draw(seed, which, u64::MAX)));
                return around(high << 64 | low, pick(seed, 2, &[20, 32, 48, 64, 128]));
            }
        };
        let low = match self {
            Self::OneBlock => draw(seed, 2, u64::MAX),
            Self::Nested => 1 << 63,
            Self::Scattered
            | Self::Neighbours
            | Self::Clusters
            | Self::Borders
            | Self::Anywhere => pick(seed, 2, &[0, 1, 7, u64::MAX]),
        };
        let bits = match self {
            Self::Nested => pick(seed, 3, &[0, 10, 17, 32, 40, 63, 64, 65, 100, 127, 128]),
            Self::OneBlock => pick(seed, 3, &[128, 128, 128, 100, 65]),
            Self::Scattered
            | Self::Neighbours
            | Self::Clusters
            | Self::Borders
            | Self::Anywhere => match draw(seed, 3, 99) {
                // Few, or they would cover all others.
                0 => 60,
                1 => 63,
                2..10 => 127,
                10..40 => 64,
                _ => 128,
            },
        };
        around(BLOCK | u128::from(block) << 64 | u128::from(low), bits)
    }
}

/// The network of `bits` bits around an address.
fn around(address: u128, bits: u32) -> (u128, u128) {
    let below = u128::MAX.checked_shr(bits).unwrap_or(0);
    (address & !below, address | below)
}

/// Which class each address has: where ranges start.
#[derive(Clone, Debug)]
struct Model(BTreeMap<u128, u16>);

impl Model {
    fn new() -> Self {
        Self(BTreeMap::from([(0, 0)]))
    }

    fn class(&self, address: u128) -> u16 {
        let before = self.0.range(..=address).next_back();
        *before.expect("one starts at 0").1
    }

    /// Gives the addresses of a network a class.
    fn paint(&mut self, (first, last): (u128, u128), class: u16) {
        let behind = last.checked_add(1).map(|next| (next, self.class(next)));
        let inside: Vec<u128> = self.0.range(first..=last).map(|range| *range.0).collect();
        for start in inside {
            self.0.remove(&start);
        }
        self.0.insert(first, class);
        self.0.extend(behind);
    }

    /// Boundaries between two addresses, the first of them at the first address.
    fn between(&self, first: u128, last: u128) -> Vec<(u128, u16)> {
        let mut all = vec![(first, self.class(first))];
        all.extend(
            self.0
                .range(first..=last)
                .map(|(start, class)| (*start, *class)),
        );
        all.dedup_by_key(|boundary| boundary.1);
        all
    }

    fn layout(&self) -> Layout6 {
        Layout6::new(&self.between(0, u128::MAX))
    }
}

/// Fails unless `tables` have the class of each address.
fn check(
    tables: &mut RuleTables,
    layout: &Layout6,
    model: &Model,
    probes: &BTreeSet<u128>,
) -> Result<(), TestCaseError> {
    tables.addresses = AddressTables::of(&Layout4::new(&[(0, 0)]), layout);
    for probe in probes {
        let address = Ipv6Addr::from_bits(*probe);
        let class = address_class(tables, address.into());
        prop_assert_eq!(class, u32::from(model.class(*probe)), "{}", address);
    }
    Ok(())
}

/// The edges of a network and their neighbours.
fn edges((first, last): (u128, u128)) -> [u128; 5] {
    let before = first.wrapping_sub(1);
    [
        before,
        first,
        first.wrapping_add(1),
        last,
        last.wrapping_add(1),
    ]
}

/// Number of entries in each table that are reachable from the roots.
fn reached(layout: &Layout6) -> [usize; 3] {
    let mut counts = [0; 3];
    for root in 0..layout.roots.len() {
        let run = layout.roots[root];
        counts[0] += run.len as usize;
        let ranges = layout.stages.top.run(run.first, run.len);
        let mut targets: Vec<Target> = ranges.map(|range| range.target).collect();
        if run.len == 0 {
            targets.push(run.first);
        }
        for target in targets.into_iter().filter(is_run) {
            counts[0] += 1;
            let lead = layout.stages.top.get(target & TARGET_INDEX);
            reached_from(layout, lead, 0, &mut counts);
        }
    }
    counts
}

/// Counts the entries that are reachable from a lead; `forks` is the number of forks on the way to it.
fn reached_from(layout: &Layout6, lead: Range6Top, forks: u32, counts: &mut [usize; 3]) {
    let Range6Top { start: len, target } = lead;
    let Stages { top, mid, low } = &layout.stages;
    if let Some(branches) = lead.branches() {
        assert!(forks < MAX_FORKS, "so many forks are looked at");
        counts[0] += branches as usize;
        for lead in top.run(target & TARGET_INDEX, branches) {
            reached_from(layout, lead, forks + 1, counts);
        }
        return;
    }
    counts[1] += len as usize;
    let mut targets = vec![target];
    if len > 0 {
        targets = mid.run(target, len).map(|range| range.target).collect();
    }
    for target in targets.into_iter().filter(is_run) {
        let header = low.get(target & TARGET_INDEX);
        counts[2] += 1 + usize::try_from(header.start).expect("a length");
    }
}

fn is_run(target: &Target) -> bool {
    target & TARGET_IS_RUN != 0
}

/// Number of entries in each table that were put there and not given up.
fn held(layout: &Layout6) -> [usize; 3] {
    let stages = &layout.stages;
    [stages.top.held(), stages.mid.held(), stages.low.held()]
}

/// A set, and changes: members that are added (with a class) and removed, some at a time.
type Course = (Shape, Vec<u64>, Vec<Vec<(u64, u16)>>);

fn some_course() -> impl Strategy<Value = Course> {
    (
        select(SHAPES.to_vec()),
        proptest::collection::vec(any::<u64>(), 0..1500),
        proptest::collection::vec(
            proptest::collection::vec((any::<u64>(), 0..3_u16), 1..30),
            1..6,
        ),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// EV-190.
    #[test]
    fn sets_of_every_shape_are_looked_up_right_from_change_to_change(
        (shape, members, changes) in some_course()
    ) {
        let mut tables = compiled(&snapshot()).tables;
        let mut model = Model::new();
        let mut probes = BTreeSet::new();
        for (number, seed) in members.iter().enumerate() {
            let member = shape.member(*seed);
            model.paint(member, if number % 9 == 0 { 2 } else { 1 });
            probes.extend(edges(member));
        }
        let mut layout = model.layout();
        check(&mut tables, &layout, &model, &probes)?;
        prop_assert_eq!(held(&layout), reached(&layout));
        for batch in changes {
            let former = model.clone();
            let mut changed = Vec::new();
            for (seed, class) in batch {
                // Half of them are members of the set before.
                let known = members.get(usize::try_from(seed % 3000).expect("it is small"));
                let net = shape.member(known.copied().unwrap_or(seed));
                model.paint(net, class);
                changed.push(net);
                probes.extend(edges(net));
            }
            let changed = RangeSet::new(changed);
            let next = layout.changed(changed.as_slice(), &mut |first, last| {
                Some(model.between(first, last))
            });
            // It may be too much, or there may be too little room.
            let Some(next) = next else {
                layout = model.layout();
                continue;
            };
            check(&mut tables, &next, &model, &probes)?;
            prop_assert_eq!(held(&next), reached(&next));
            // What a packet of the former generation meets when the new one is written.
            let meanwhile = Layout6 { roots: layout.roots.clone(), stages: next.stages.clone() };
            check(&mut tables, &meanwhile, &former, &probes)?;
            layout = next;
        }
    }
}

/// One more member of a long set: few entries are written, and nothing else changes.
#[test]
fn a_change_of_a_long_set_writes_little_whatever_its_shape() {
    for (shape, most) in [
        (Shape::Scattered, [1100, 100, 10]),
        (Shape::Neighbours, [1100, 100, 10]),
        (Shape::Clusters, [1100, 100, 10]),
    ] {
        let mut model = Model::new();
        for seed in 0..30_000 {
            model.paint(shape.member(seed), 1);
        }
        let layout = model.layout();
        let joins = shape.member(1 << 40);
        model.paint(joins, 2);
        let next = layout
            .changed(&[joins], &mut |first, last| {
                Some(model.between(first, last))
            })
            .expect("there is room");
        let written = [
            layout.stages.top.written(&next.stages.top),
            layout.stages.mid.written(&next.stages.mid),
            layout.stages.low.written(&next.stages.low),
        ];
        for (written, most) in written.iter().zip(most) {
            assert!(*written <= most, "{shape:?}: {written} of at most {most}");
        }
    }
}
