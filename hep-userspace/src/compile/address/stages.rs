//! The ranges of the three stages of IPv6, wherever they are put.

use hep_common::address::{
    MAX_UNCUT, Range6Low, Range6Mid, Range6Top, Run, TARGET_IS_PART, TARGET_IS_RUN, Target,
};

use super::{Boundary, index};

/// Ranges of a new part of a long run.
const PART: usize = MAX_UNCUT / 2;

/// What runs are put into.
pub(super) trait Sink<R> {
    /// Where the run is now; `None` if there is no room.
    fn put(&mut self, run: &[R]) -> Option<u32>;

    /// Whether this run is at `first` already.
    fn has(&self, first: u32, run: &[R]) -> bool;
}

/// A range of a stage: its first value, and where it leads.
pub(super) type Entry = (u32, Target);

/// The tables of the three stages.
#[derive(Clone, Debug, Default)]
pub(super) struct Stages<T, M, L> {
    /// Bits 16–31.
    pub(super) top: T,
    /// Bits 32–63.
    pub(super) mid: M,
    /// Bits 64–127.
    pub(super) low: L,
}

impl<T: Sink<Range6Top>, M: Sink<Range6Mid>, L: Sink<Range6Low>> Stages<T, M, L> {
    /// The root entry for a /16 with these boundaries, when `class` reigned before it.
    pub(super) fn root(&mut self, boundaries: &[Boundary<u128>], class: u16) -> Option<Run> {
        let entries = split::<96, 16>(boundaries, class, |_value, inner, class| {
            let entries = self.mid_entries(inner, class, &[])?;
            self.put_mid(&entries)
        })?;
        self.put_top(&entries)
    }

    /// Puts the run of a /16.
    pub(super) fn put_top(&mut self, entries: &[Entry]) -> Option<Run> {
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

    /// The ranges of a /32, or of some of its /64s, and the runs that they lead to: those of
    /// `former` ranges where they are the same.
    pub(super) fn mid_entries(
        &mut self,
        boundaries: &[Boundary<u128>],
        class: u16,
        former: &[Entry],
    ) -> Option<Vec<Entry>> {
        split::<64, 32>(boundaries, class, |value, inner, class| {
            let known = former.binary_search_by_key(&value, |entry| entry.0).ok();
            let known = known
                .map(|at| former[at].1)
                .filter(|target| target & TARGET_IS_RUN != 0);
            self.low(inner, class, known)
        })
    }

    /// Puts the run of a /32: in parts if it is long.
    pub(super) fn put_mid(&mut self, entries: &[Entry]) -> Option<Target> {
        if let [(_, target)] = entries {
            return Some(*target);
        }
        if entries.len() <= MAX_UNCUT {
            return self.put_run(entries);
        }
        let parts = self.put_parts(entries)?;
        self.put_run(&parts)
    }

    /// Puts part of a run, cut if it is long; returns where the parts start and are.
    pub(super) fn put_parts(&mut self, entries: &[Entry]) -> Option<Vec<Entry>> {
        let length = if entries.len() > MAX_UNCUT {
            PART
        } else {
            MAX_UNCUT
        };
        entries
            .chunks(length)
            .map(|part| Some((part[0].0, self.put_run(part)? | TARGET_IS_PART)))
            .collect()
    }

    /// Puts ranges of the middle stage behind a header.
    pub(super) fn put_run(&mut self, entries: &[Entry]) -> Option<Target> {
        let header = (index(entries.len()), 0);
        let run: Vec<Range6Mid> = std::iter::once(&header)
            .chain(entries)
            .map(|&(start, target)| Range6Mid { start, target })
            .collect();
        Some(self.mid.put(&run)? | TARGET_IS_RUN)
    }

    /// Puts the run of a /64, unless it is `known`.
    fn low(
        &mut self,
        boundaries: &[Boundary<u128>],
        class: u16,
        known: Option<Target>,
    ) -> Option<Target> {
        let mut run = vec![Range6Low::default()];
        let mut push = |start: u64, class: u16| {
            let target = class.into();
            if run.len() > 1 && run.last().is_some_and(|last| last.start == start) {
                run.pop();
            }
            if run.len() == 1 || run.last().is_some_and(|last| last.target != target) {
                run.push(Range6Low {
                    start,
                    target,
                    reserved: 0,
                });
            }
        };
        push(0, class);
        for &(start, class) in boundaries {
            push(
                u64::try_from(start & u128::from(u64::MAX)).expect("masked to 64 bits"),
                class,
            );
        }
        run[0].start = index(run.len() - 1).into();
        match known {
            Some(known) if self.low.has(known & !TARGET_IS_RUN, &run) => Some(known),
            _ => Some(self.low.put(&run)? | TARGET_IS_RUN),
        }
    }
}

/// Cuts one block of addresses into ranges of the `BITS` bits above the lowest `BELOW`, each with
/// its class, or with what `inner` makes of a value and the boundaries that fall inside it.
fn split<const BELOW: u32, const BITS: u32>(
    boundaries: &[Boundary<u128>],
    before: u16,
    mut inner: impl FnMut(u32, &[Boundary<u128>], u16) -> Option<Target>,
) -> Option<Vec<Entry>> {
    let mask = (1_u128 << BITS) - 1;
    let mut class = before;
    let mut ranges: Vec<Entry> = vec![(0, class.into())];
    let mut push = |start: u32, target: Target| {
        if ranges.last().is_some_and(|last| last.0 == start) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|last| last.1 != target) {
            ranges.push((start, target));
        }
    };
    for group in boundaries.chunk_by(|a, b| a.0 >> BELOW == b.0 >> BELOW) {
        let (start, last) = (group[0].0, group[group.len() - 1].1);
        let value = u32::try_from((start >> BELOW) & mask).expect("at most 32 bits");
        let aligned = start & ((1 << BELOW) - 1) == 0;
        if aligned && group.len() == 1 {
            push(value, last.into());
        } else {
            push(value, inner(value, group, class)?);
            if u128::from(value) < mask {
                push(value + 1, last.into());
            }
        }
        class = last;
    }
    Some(ranges)
}
