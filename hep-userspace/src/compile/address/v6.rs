//! IPv6: roots over bits 0–15, then ranges over bits 16–31, 32–63 and 64–127.

use std::collections::BTreeSet;

use hep_common::address::{
    RANGES6_LOW_PER_BLOCK, RANGES6_MID_PER_BLOCK, RANGES6_TOP_PER_BLOCK, ROOT_LEN, Range6Low,
    Range6Mid, Range6Top, Run, TARGET_INDEX, TARGET_IS_PART, TARGET_IS_RUN, Target,
};

use super::{
    super::pieces::Pieces,
    Boundary, Layout, Sweep, index,
    stages::{Entry, Stages},
    store::{Growing, Store},
};

/// Most roots that a change rebuilds which is not a load from nothing.
const MAX_CHANGED: usize = 64;

/// The IPv6 tables.
#[derive(Clone, Debug)]
pub(in crate::compile) struct Layout6 {
    /// One per value of bits 0–15.
    pub(super) roots: Pieces<Run>,
    pub(super) stages: Stages<Store<Range6Top>, Store<Range6Mid>, Store<Range6Low>>,
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
        for (at, &(first, last)) in changed.iter().enumerate() {
            if done.is_some_and(|done| last <= done) {
                continue;
            }
            if first >> 96 == last >> 96 {
                let change = Change {
                    first,
                    last,
                    next: changed.get(at + 1).map(|(first, _)| *first),
                };
                done = Some(next.change_top(change, sweep)?);
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
        }
        next.stages.top.end();
        next.stages.mid.end();
        next.stages.low.end();
        Some(next)
    }
}

/// Where addresses of one /32 may have other classes now.
#[derive(Clone, Copy)]
struct Change {
    first: u128,
    last: u128,
    /// Where the next such place begins.
    next: Option<u128>,
}

impl Change {
    /// The last address up to which all is looked at, in a run that ends with `end`: that of the /64,
    /// or, if there is more to come in that run, all of it.
    fn reach(&self, end: u128) -> u128 {
        let block = around(self.last, 64).1;
        match self.next {
            Some(next) if next > block && next <= end => end,
            Some(_) | None => block,
        }
    }
}

impl Layout6 {
    /// Makes the tables of a whole /16 anew.
    fn rebuild(&mut self, root: u128, sweep: &mut Sweep<'_, u128>) -> Option<()> {
        let base = root << 112;
        let here = sweep(base, base | u128::MAX >> 16)?;
        let at = usize::try_from(root).expect("16 bits");
        let former = self.roots[at];
        let run = self.stages.root(&here, here.first()?.1)?;
        for (_, target) in self.top_entries(former) {
            if target & TARGET_IS_RUN != 0 {
                self.give_up_mid(target, &BTreeSet::new());
            }
        }
        self.stages.top.give_up(former.first, former.len);
        self.roots.write(at, &[run]);
        Some(())
    }

    /// Brings what changed in a /32 up to date; returns the last address up to which everything is
    /// now.
    fn change_top(&mut self, change: Change, sweep: &mut Sweep<'_, u128>) -> Option<u128> {
        let at = usize::try_from(change.first >> 112).expect("16 bits");
        let value = part(change.first >> 96) & 0xffff;
        let former = self.roots[at];
        let mut entries = self.top_entries(former);
        let place = entries.partition_point(|entry| entry.0 <= value) - 1;
        let target = entries[place].1;
        let (next, done) = self.change_mid(target, change, sweep)?;
        if next == target {
            return Some(done);
        }
        replace(&mut entries, place, value, next);
        let run = self.stages.put_top(&entries)?;
        self.stages.top.give_up(former.first, former.len);
        self.roots.write(at, &[run]);
        Some(done)
    }

    /// As [`Self::change_top`], for what a range of the top stage leads to; returns the new target,
    /// too.
    fn change_mid(
        &mut self,
        target: Target,
        change: Change,
        sweep: &mut Sweep<'_, u128>,
    ) -> Option<(Target, u128)> {
        let entries = self.mid_entries(target);
        let (base, end) = around(change.first, 96);
        if entries.first().is_some_and(is_part) {
            let value = part(change.first >> 64);
            let place = entries.partition_point(|entry| entry.0 <= value) - 1;
            let end = entries
                .get(place + 1)
                .map_or(end, |next| (base | u128::from(next.0) << 64) - 1);
            if change.last <= end {
                let reach = change.reach(end);
                let ends = (change.first, reach, part(end >> 64));
                let next = self.change_part(entries, place, target, ends, sweep)?;
                return Some((next, reach));
            }
        }
        let former = if target & TARGET_IS_RUN == 0 {
            vec![(0, target)]
        } else {
            self.all_entries(target)
        };
        let reach = change.reach(end);
        let new = self.remade(&former, (change.first, reach, u32::MAX), sweep)?;
        if new == former {
            return Some((target, reach));
        }
        let next = self.stages.put_mid(&new)?;
        self.give_up_mid(target, &targets(&new));
        Some((next, reach))
    }

    /// Makes a part of the long run `target` anew; `ends` are as for [`Self::remade`].
    fn change_part(
        &mut self,
        mut parts: Vec<Entry>,
        place: usize,
        target: Target,
        ends: (u128, u128, u32),
        sweep: &mut Sweep<'_, u128>,
    ) -> Option<Target> {
        let old = parts[place].1;
        let former = self.mid_entries(old);
        let new = self.remade(&former, ends, sweep)?;
        if new == former {
            return Some(target);
        }
        let pieces = self.stages.put_parts(&new)?;
        parts.splice(place..=place, pieces);
        let next = self.stages.put_run(&parts)?;
        self.give_up_mid(old, &targets(&new));
        self.give_up_run(target);
        Some(next)
    }

    /// The ranges of the middle stage with those of the /64s between two addresses made anew; the
    /// last of `ends` is the last value that is theirs.
    fn remade(
        &mut self,
        former: &[Entry],
        (first, reach, end): (u128, u128, u32),
        sweep: &mut Sweep<'_, u128>,
    ) -> Option<Vec<Entry>> {
        let (start, reach) = (around(first, 64).0, around(reach, 64).1);
        let here = sweep(start, reach)?;
        let new = self.stages.mid_entries(&here, here.first()?.1, former)?;
        let [low, high] = [start, reach].map(|address| part(address >> 64));
        let before = former.partition_point(|entry| entry.0 < low);
        // What is before these values and behind them is as it was.
        let mut all = former[..before].to_vec();
        let from = new.partition_point(|entry| entry.0 <= low) - 1;
        all.push((low, new[from].1));
        let inside = new[from + 1..].iter();
        all.extend(inside.take_while(|entry| entry.0 <= high));
        if high < end {
            let behind = former.partition_point(|entry| entry.0 <= high + 1);
            all.push((high + 1, former[behind - 1].1));
            all.extend_from_slice(&former[behind..]);
        }
        all.dedup_by(|later, earlier| later.1 == earlier.1);
        Some(all)
    }

    /// The ranges of a /16.
    fn top_entries(&self, run: Run) -> Vec<Entry> {
        if run.len == 0 {
            return vec![(0, run.first)];
        }
        let ranges = self.stages.top.run(run.first, run.len);
        ranges.map(|range| (range.start, range.target)).collect()
    }

    /// The ranges of a run of the middle stage; none if `target` is a class.
    fn mid_entries(&self, target: Target) -> Vec<Entry> {
        if target & TARGET_IS_RUN == 0 {
            return Vec::new();
        }
        let first = target & TARGET_INDEX;
        let len = self.stages.mid.ranges()[first as usize].start;
        let ranges = self.stages.mid.run(first + 1, len);
        ranges.map(|range| (range.start, range.target)).collect()
    }

    /// As [`Self::mid_entries`], those of all parts.
    fn all_entries(&self, target: Target) -> Vec<Entry> {
        let entries = self.mid_entries(target);
        if !entries.first().is_some_and(is_part) {
            return entries;
        }
        entries
            .iter()
            .flat_map(|(_, part)| self.mid_entries(*part))
            .collect()
    }

    /// Gives up a run of the middle stage and all that it leads to, but for what is `kept`.
    fn give_up_mid(&mut self, target: Target, kept: &BTreeSet<Target>) {
        if target & TARGET_IS_RUN == 0 {
            return;
        }
        for entry in self.mid_entries(target) {
            if is_part(&entry) {
                self.give_up_mid(entry.1, kept);
            } else if entry.1 & TARGET_IS_RUN != 0 && !kept.contains(&entry.1) {
                let first = entry.1 & TARGET_INDEX;
                let low = &mut self.stages.low;
                let len = index(usize::try_from(low.ranges()[first as usize].start).unwrap_or(0));
                low.give_up(first, len + 1);
            }
        }
        self.give_up_run(target);
    }

    /// Gives up a run of the middle stage alone.
    fn give_up_run(&mut self, target: Target) {
        let first = target & TARGET_INDEX;
        let len = self.stages.mid.ranges()[first as usize].start;
        self.stages.mid.give_up(first, len + 1);
    }
}

const fn is_part(entry: &Entry) -> bool {
    entry.1 & TARGET_IS_PART != 0
}

/// The runs that ranges lead to.
fn targets(entries: &[Entry]) -> BTreeSet<Target> {
    let targets = entries.iter().map(|entry| entry.1);
    targets
        .filter(|target| target & TARGET_IS_RUN != 0)
        .collect()
}

/// Lets one value of the range at `place` lead elsewhere.
fn replace(entries: &mut Vec<Entry>, place: usize, value: u32, target: Target) {
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

/// The first and last address that differ from this one in the lowest bits only.
const fn around(address: u128, below: u32) -> (u128, u128) {
    let mask = (1 << below) - 1;
    (address & !mask, address | mask)
}
