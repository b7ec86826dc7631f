//! IPv6: roots over bits 0–15, then ranges over bits 16–31, 32–63 and 64–127.

use hep_common::address::{
    RANGES6_LOW_PER_BLOCK, RANGES6_MID_PER_BLOCK, RANGES6_TOP_PER_BLOCK, ROOT_LEN, Range6Low,
    Range6Mid, Range6Top, Run, Target,
};

use super::{
    layout::{Boundary, Layout, Sweep},
    patch::Patch,
    stages::{Stages, Stores},
    store::{Growing, Store},
};
use crate::compile::segments::Segments;

/// Most roots that a change rebuilds which is not a load from nothing.
const MAX_CHANGED: usize = 64;

/// The IPv6 tables.
#[derive(Clone, Debug)]
pub(crate) struct Layout6 {
    /// One per value of bits 0–15.
    pub(crate) roots: Segments<Run>,
    pub(crate) stages: Stores,
}

impl Layout for Layout6 {
    type Address = u128;

    fn new(partition: &[Boundary<u128>]) -> Self {
        let mut stages =
            Stages::<Growing<Range6Top>, Growing<Range6Mid>, Growing<Range6Low>>::default();
        let mut roots = Vec::with_capacity(ROOT_LEN as usize);
        let mut rest = partition;
        let mut class = 0;
        for root in 0..u128::from(ROOT_LEN) {
            let within = rest.partition_point(|(start, _)| start >> 112 == root);
            let (here, later) = rest.split_at(within);
            rest = later;
            let run = stages.root(here, class);
            roots.push(run.expect("a table that is being made has room"));
            class = here.last().map_or(class, |last| last.1);
        }
        Self {
            roots: roots.into(),
            stages: Stages {
                top: Store::new(stages.top, RANGES6_TOP_PER_BLOCK),
                mid: Store::new(stages.mid, RANGES6_MID_PER_BLOCK),
                low: Store::new(stages.low, RANGES6_LOW_PER_BLOCK),
            },
        }
    }

    fn changed(&self, changed: &[(u128, u128)], sweep: &mut Sweep<'_, u128>) -> Option<Self> {
        let mut next = self.clone();
        let mut done = None;
        let mut rebuilt = 0;
        let mut rest = changed;
        while let [(first, last), later @ ..] = rest {
            if done.is_some_and(|done| *last <= done) {
                rest = later;
                continue;
            }
            let block = first >> 96;
            if block == last >> 96 {
                let here = rest.partition_point(|(_, last)| last >> 96 == block);
                next.change_block(block, &rest[..here], sweep)?;
                rest = &rest[here..];
                continue;
            }
            for root in first >> 112..=last >> 112 {
                rebuilt += 1;
                if rebuilt > MAX_CHANGED {
                    return None;
                }
                next.rebuild(root, sweep)?;
                done = Some(root << 112 | u128::MAX >> 16);
            }
            rest = later;
        }
        next.stages.top.end();
        next.stages.mid.end();
        next.stages.low.end();
        Some(next)
    }
}

impl Layout6 {
    /// Rebuilds the tables of a whole /16.
    fn rebuild(&mut self, root: u128, sweep: &mut Sweep<'_, u128>) -> Option<()> {
        let base = root << 112;
        let here = sweep(base, base | u128::MAX >> 16)?;
        let at = usize::try_from(root).expect("16 bits");
        let former = self.roots[at];
        let run = self.stages.root(&here, here.first()?.1)?;
        for (_, target) in self.top_entries(former) {
            self.stages.give_up(target);
        }
        self.stages.top.give_up(former.first, former.len);
        self.roots.write(at, &[run]);
        Some(())
    }

    /// Brings what changed in a /32 up to date.
    fn change_block(
        &mut self,
        block: u128,
        changed: &[(u128, u128)],
        sweep: &mut Sweep<'_, u128>,
    ) -> Option<()> {
        let at = usize::try_from(block >> 16).expect("16 bits");
        let value = part(block) & 0xffff;
        let former = self.roots[at];
        let mut entries = self.top_entries(former);
        let place = entries.partition_point(|entry| entry.0 <= value) - 1;
        let target = entries[place].1;
        let patches = self.patches(target, block << 96, changed, sweep)?;
        let next = self.stages.patched(target, &patches)?;
        if next == target {
            return Some(());
        }
        replace(&mut entries, place, value, next);
        let run = self.stages.put_top(&entries)?;
        self.stages.top.give_up(former.first, former.len);
        self.roots.write(at, &[run]);
        Some(())
    }

    /// The ranges of all /64s of a /32 in which something changed.
    fn patches(
        &mut self,
        target: Target,
        base: u128,
        changed: &[(u128, u128)],
        sweep: &mut Sweep<'_, u128>,
    ) -> Option<Vec<Patch>> {
        let mut patches: Vec<Patch> = Vec::with_capacity(changed.len());
        for &(first, last) in changed {
            let [mut first, last] = [first, last].map(|address| part(address >> 64));
            if let Some(before) = patches.last().filter(|before| before.last >= first) {
                if before.last == last {
                    continue;
                }
                first = before.last + 1;
            }
            let [start, end] = [first, last].map(|value| base | u128::from(value) << 64);
            let here = sweep(start, end | u128::from(u64::MAX))?;
            let mut entries = self.stages.mid_entries(&here, here.first()?.1, target)?;
            // What is before these values and behind them is none of theirs.
            entries.drain(..entries.partition_point(|entry| entry.0 <= first) - 1);
            entries.truncate(entries.partition_point(|entry| entry.0 <= last));
            entries[0].0 = first;
            patches.push(Patch {
                first,
                last,
                entries,
            });
        }
        Some(patches)
    }

    /// The ranges of a /16.
    fn top_entries(&self, run: Run) -> Vec<(u32, Target)> {
        if run.len == 0 {
            return vec![(0, run.first)];
        }
        let ranges = self.stages.top.run(run.first, run.len);
        ranges.map(|range| (range.start, range.target)).collect()
    }
}

/// Lets one value of the range at `place` lead elsewhere.
fn replace(entries: &mut Vec<(u32, Target)>, place: usize, value: u32, target: Target) {
    let (start, old) = entries[place];
    let end = entries.get(place + 1).map_or(1 << 16, |next| next.0);
    let mut middle = Vec::with_capacity(3);
    if start < value {
        middle.push((start, old));
    }
    middle.push((value, target));
    if value + 1 < end {
        middle.push((value + 1, old));
    }
    entries.splice(place..=place, middle);
    entries.dedup_by(|later, earlier| later.1 == earlier.1);
}

/// The lowest 32 bits.
fn part(bits: u128) -> u32 {
    u32::try_from(bits & u128::from(u32::MAX)).expect("masked to 32 bits")
}
