//! The middle stage of IPv6: short runs, and forks that lead to them.
//!
//! Below a range of the top stage is a tree. Its inner nodes are the forks: they cut the values evenly, so
//! that in a set of scattered addresses every run has a few ranges, whatever its size; in one of adjacent
//! addresses some branches are cut again.

use hep_common::address::{
    MAX_FORKS, Range6Low, Range6Mid, Range6Top, TARGET_INDEX, TARGET_IS_RUN, Target,
};

use super::{
    layout::index,
    run::{self, Block, Entry},
    stages::Stages,
    store::Table,
};

/// Most ranges of a run that is not cut.
const MAX_UNCUT: usize = 64;
/// Ranges of a branch of a new fork, at most, if they are spread evenly: half of them islands.
const PER_BRANCH: usize = 16;
/// Most bits of a value that are the place in one fork.
const MAX_BITS: u32 = 9;

/// The values that a lead is for.
#[derive(Clone, Copy)]
pub(crate) struct Area {
    pub(crate) first: u32,
    /// Bits that differ from value to value.
    pub(crate) bits: u32,
    /// Forks on the way to it.
    forks: u32,
}

impl Area {
    /// All values.
    pub(crate) const WHOLE: Self = Self {
        first: 0,
        bits: u32::BITS,
        forks: 0,
    };

    /// The last value.
    pub(crate) const fn last(self) -> u32 {
        match u32::MAX.checked_shr(u32::BITS - self.bits) {
            Some(mask) => self.first | mask,
            None => self.first,
        }
    }

    /// Bits of the fork that replaces a run of `ranges` ranges; `None` if it needs none.
    fn fork_bits(self, ranges: usize) -> Option<u32> {
        if ranges <= MAX_UNCUT || self.forks == MAX_FORKS {
            return None;
        }
        let bits = ranges.div_ceil(PER_BRANCH).next_power_of_two().ilog2();
        Some(bits.min(MAX_BITS).min(self.bits))
    }

    /// The values of each branch of a fork of `bits` bits.
    pub(crate) fn branches(self, bits: u32) -> impl Iterator<Item = Self> {
        let below = self.bits - bits;
        (0..1 << bits).map(move |number: u32| Self {
            first: self.first | number << below,
            bits: below,
            forks: self.forks + 1,
        })
    }
}

/// Where an address leads: `value` are its bits 32–63, `low` those behind. The lead for its /32 is at
/// `place` of the top stage; `leads` and `ranges` are what is in a place of the top and middle stage.
pub(crate) fn target_of(
    leads: impl Fn(u32) -> Range6Top,
    ranges: impl Fn(u32) -> Range6Mid,
    place: u32,
    (value, low): (u32, u64),
) -> Target {
    let mut lead = leads(place);
    while let Some(branch) = lead.branch(value) {
        lead = leads(branch);
    }
    let Range6Top { start: len, target } = lead;
    if len == 0 {
        return target;
    }
    let (mut before, mut behind) = (target, target + len);
    while behind - before > 1 {
        let middle = before + (behind - before) / 2;
        if ranges(middle).start <= value {
            before = middle;
        } else {
            behind = middle;
        }
    }
    let found = ranges(before).target(value, low);
    found.unwrap_or_else(|| ranges(target).target)
}

impl<T: Table<Range6Top>, M: Table<Range6Mid>, L: Table<Range6Low>> Stages<T, M, L> {
    /// Puts the ranges of a /32.
    pub(crate) fn put_mid(&mut self, entries: &[Entry]) -> Option<Target> {
        if let [(_, Block::Class(class))] = entries {
            return Some((*class).into());
        }
        let place = self.top.reserve(1)?;
        let lead = self.put_lead(entries, Area::WHOLE)?;
        self.top.write(place, &[lead]);
        Some(place | TARGET_IS_RUN)
    }

    /// Puts the ranges of some values.
    pub(crate) fn put_lead(&mut self, entries: &[Entry], area: Area) -> Option<Range6Top> {
        if let [(_, block)] = entries
            && let Some(target) = block.target()
        {
            return Some(Range6Top::lead(target, 0));
        }
        let Some(bits) = area.fork_bits(entries.len()) else {
            return self.put_run(entries, area);
        };
        let first = self.top.reserve(1 << bits)?;
        let mut leads = Vec::with_capacity(1 << bits);
        let mut rest = entries;
        for branch in area.branches(bits) {
            let here = rest.partition_point(|entry| entry.0 <= branch.last());
            leads.push(self.put_lead(&rest[..here], branch)?);
            // The last range may go on in the next branch.
            let goes_on = rest.get(here).is_none_or(|next| next.0 - 1 > branch.last());
            rest = &rest[here - usize::from(goes_on)..];
        }
        self.top.write(first, &leads);
        Some(Range6Top::fork(first, bits, area.bits - bits))
    }

    /// Puts the ranges of some values into one run.
    fn put_run(&mut self, entries: &[Entry], area: Area) -> Option<Range6Top> {
        let common = run::common(entries);
        let mut entries = entries.to_vec();
        for (_, block) in &mut entries {
            // Such a host would not say what is around it.
            if let Block::Host { low, class, others } = *block
                && others != common
            {
                *block = Block::Run(self.put_host(low, class, others)?);
            }
        }
        let run = run::encoded(&entries, area.first, area.last(), common);
        Some(Range6Top::lead(self.mid.put(&run)?, index(run.len())))
    }

    /// The run of the low stage at a value, if `former` leads to one.
    pub(crate) fn known_low(&self, former: Target, value: u32) -> Option<Target> {
        if former & TARGET_IS_RUN == 0 {
            return None;
        }
        let (leads, ranges) = (|at| self.top.get(at), |at| self.mid.get(at));
        let target = target_of(leads, ranges, former & TARGET_INDEX, (value, 0));
        (target & TARGET_IS_RUN != 0).then_some(target)
    }
}
