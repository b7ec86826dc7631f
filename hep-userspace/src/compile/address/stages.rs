//! The ranges of the three stages of IPv6, in tables of any kind.

use hep_common::address::{
    Range6Low, Range6Mid, Range6Top, Run, TARGET_INDEX, TARGET_IS_RUN, Target,
};

use super::{
    layout::{Boundary, index},
    run::{Block, Entry},
    store::{Store, Table},
};

/// The tables of the stages in the shape of the maps.
pub(crate) type Stores = Stages<Store<Range6Top>, Store<Range6Mid>, Store<Range6Low>>;

/// The tables of the three stages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stages<T, M, L> {
    /// Bits 16–31.
    pub(crate) top: T,
    /// Bits 32–63.
    pub(crate) mid: M,
    /// Bits 64–127.
    pub(crate) low: L,
}

impl<T: Table<Range6Top>, M: Table<Range6Mid>, L: Table<Range6Low>> Stages<T, M, L> {
    /// The root entry for a /16 with these boundaries, when `class` reigned before it.
    pub(crate) fn root(&mut self, boundaries: &[Boundary<u128>], class: u16) -> Option<Run> {
        let entries = split::<96, 16>(boundaries, class, |_value, inner, class| {
            let entries = self.mid_entries(inner, class, class.into())?;
            Some(Block::of(self.put_mid(&entries)?))
        })?;
        let targets = entries.iter().map(|&(start, block)| {
            let target = block.target().expect("a /32 is no host");
            (start, target)
        });
        self.put_top(&targets.collect::<Vec<_>>())
    }

    /// Puts the run of a /16.
    pub(crate) fn put_top(&mut self, entries: &[(u32, Target)]) -> Option<Run> {
        if let [(_, target)] = entries {
            return Some(Run {
                first: *target,
                len: 0,
            });
        }
        let run: Vec<Range6Top> = entries
            .iter()
            .map(|&(start, target)| Range6Top { start, target })
            .collect();
        Some(Run {
            first: self.top.put(&run)?,
            len: index(run.len()),
        })
    }

    /// The ranges of a /32, or of some of its /64s, and the runs that they lead to: runs below `former` are
    /// reused where they are the same.
    pub(crate) fn mid_entries(
        &mut self,
        boundaries: &[Boundary<u128>],
        class: u16,
        former: Target,
    ) -> Option<Vec<Entry>> {
        split::<64, 32>(boundaries, class, |value, inner, class| {
            let known = self.known_low(former, value);
            self.block(inner, class, known)
        })
    }

    /// The block of a /64; if that is a run, `known` if it is the same.
    fn block(
        &mut self,
        boundaries: &[Boundary<u128>],
        class: u16,
        known: Option<Target>,
    ) -> Option<Block> {
        let mut ranges: Vec<(u64, u16)> = Vec::with_capacity(boundaries.len() + 1);
        let boundaries = boundaries.iter().map(|&(start, class)| {
            let start = start & u128::from(u64::MAX);
            (u64::try_from(start).expect("masked to 64 bits"), class)
        });
        for (start, class) in std::iter::once((0, class)).chain(boundaries) {
            if ranges.last().is_some_and(|last| last.0 == start) {
                ranges.pop();
            }
            if ranges.last().is_none_or(|last| last.1 != class) {
                ranges.push((start, class));
            }
        }
        let host = match *ranges {
            [(_, class)] => return Some(Block::Class(class)),
            [(low, class), (1, others)] => Some((low, class, others)),
            [(_, others), (u64::MAX, class)] => Some((u64::MAX, class, others)),
            [(_, others), (low, class), (behind, after)]
                if behind == low + 1 && after == others =>
            {
                Some((low, class, others))
            }
            _ => None,
        };
        if let Some((low, class, others)) = host {
            return Some(Block::Host { low, class, others });
        }
        let run = behind_header(&ranges);
        match known {
            Some(known) if self.low.has(known & TARGET_INDEX, &run) => Some(Block::Run(known)),
            _ => Some(Block::Run(self.low.put(&run)? | TARGET_IS_RUN)),
        }
    }

    /// Puts a run for a /64 in which one address is unlike the others.
    pub(crate) fn put_host(&mut self, low: u64, class: u16, others: u16) -> Option<Target> {
        let mut ranges = vec![(0, others), (low, class)];
        if low == 0 {
            ranges.remove(0);
        }
        ranges.extend(low.checked_add(1).map(|behind| (behind, others)));
        let run = behind_header(&ranges);
        Some(self.low.put(&run)? | TARGET_IS_RUN)
    }
}

/// The run of a /64.
fn behind_header(ranges: &[(u64, u16)]) -> Vec<Range6Low> {
    let header = Range6Low {
        start: index(ranges.len()).into(),
        ..Range6Low::default()
    };
    let ranges = ranges.iter().map(|&(start, class)| Range6Low {
        start,
        target: class.into(),
        reserved: 0,
    });
    std::iter::once(header).chain(ranges).collect()
}

/// Cuts one block of addresses into ranges of the `BITS` bits above the lowest `BELOW`: each leads to its
/// class, or to the target that `inner` makes of a value and the boundaries inside it.
fn split<const BELOW: u32, const BITS: u32>(
    boundaries: &[Boundary<u128>],
    before: u16,
    mut inner: impl FnMut(u32, &[Boundary<u128>], u16) -> Option<Block>,
) -> Option<Vec<Entry>> {
    let mask = (1_u128 << BITS) - 1;
    let mut class = before;
    let mut ranges: Vec<Entry> = vec![(0, Block::Class(class))];
    let mut push = |start: u32, block: Block| {
        if ranges.last().is_some_and(|last| last.0 == start) {
            ranges.pop();
        }
        ranges.push((start, block));
        if let [.., before, last] = &ranges[..]
            && before.1.goes_on(last.1)
        {
            ranges.pop();
        }
    };
    for group in boundaries.chunk_by(|a, b| a.0 >> BELOW == b.0 >> BELOW) {
        let (start, last) = (group[0].0, group[group.len() - 1].1);
        let value = u32::try_from((start >> BELOW) & mask).expect("at most 32 bits");
        let aligned = start & ((1 << BELOW) - 1) == 0;
        if aligned && group.len() == 1 {
            push(value, Block::Class(last));
        } else {
            push(value, inner(value, group, class)?);
            if u128::from(value) < mask {
                push(value + 1, Block::Class(last));
            }
        }
        class = last;
    }
    Some(ranges)
}
