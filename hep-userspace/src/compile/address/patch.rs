//! Changes in the middle stage of IPv6: rebuilds a run and the forks on the way to it, but not what else
//! they lead to.

use std::collections::BTreeSet;

use hep_common::address::{Range6Mid, Range6Top, TARGET_INDEX, TARGET_IS_RUN, Target};

use super::{
    mid::Area,
    run::{self, Block, Entry},
    stages::Stores,
    store::Table as _,
};

/// Other ranges for some values.
#[derive(Debug)]
pub(crate) struct Patch {
    /// The first value.
    pub(crate) first: u32,
    /// The last value.
    pub(crate) last: u32,
    /// The ranges; the first of them starts at the first value.
    pub(crate) entries: Vec<Entry>,
}

impl Stores {
    /// The target that `target` becomes when `patches`, in order and disjoint, replace the ranges of some
    /// values.
    pub(crate) fn patched(&mut self, target: Target, patches: &[Patch]) -> Option<Target> {
        let is_run = target & TARGET_IS_RUN != 0;
        let former = if is_run {
            self.top.get(target & TARGET_INDEX)
        } else {
            Range6Top::lead(target, 0)
        };
        let lead = self.patched_lead(former, Area::WHOLE, patches)?;
        if lead == former {
            return Some(target);
        }
        if is_run {
            self.top.give_up(target & TARGET_INDEX, 1);
        }
        if lead.start == 0 {
            return Some(lead.target);
        }
        Some(self.top.put(&[lead])? | TARGET_IS_RUN)
    }

    /// The lead that `lead`, a fork or a run, becomes when the patches inside `area` replace its ranges.
    fn patched_lead(
        &mut self,
        lead: Range6Top,
        area: Area,
        patches: &[Patch],
    ) -> Option<Range6Top> {
        let Some(branches) = lead.branches() else {
            return self.patched_run(lead, area, patches);
        };
        let first = lead.target & TARGET_INDEX;
        let former: Vec<_> = self.top.run(first, branches).collect();
        let mut leads = former.clone();
        let bits = branches.ilog2();
        let mut rest = patches;
        for (lead, branch) in leads.iter_mut().zip(area.branches(bits)) {
            rest = &rest[rest.partition_point(|patch| patch.last < branch.first)..];
            let here = rest.partition_point(|patch| patch.first <= branch.last());
            if here > 0 {
                *lead = self.patched_lead(*lead, branch, &rest[..here])?;
            }
        }
        if leads == former {
            return Some(lead);
        }
        self.top.give_up(first, branches);
        let one = leads[0];
        if one.start == 0 && leads.iter().all(|lead| *lead == one) {
            return Some(one);
        }
        let first = self.top.put(&leads)?;
        Some(Range6Top::fork(first, bits, area.bits - bits))
    }

    /// The lead that `lead`, which is no fork, becomes when the patches inside `area` replace its ranges.
    fn patched_run(&mut self, lead: Range6Top, area: Area, patches: &[Patch]) -> Option<Range6Top> {
        let former = self.entries(lead, area);
        let new = spliced(&former, area, patches);
        if new == former {
            return Some(lead);
        }
        let kept: BTreeSet<Target> = new.iter().filter_map(|entry| entry.1.run()).collect();
        self.give_up_run(lead, &former, &kept);
        self.put_lead(&new, area)
    }

    /// The ranges that a lead to no fork leads to.
    fn entries(&self, lead: Range6Top, area: Area) -> Vec<Entry> {
        if lead.start == 0 {
            return vec![(area.first, Block::of(lead.target))];
        }
        let run: Vec<Range6Mid> = self.mid.run(lead.target, lead.start).collect();
        run::decoded(&run, area.last())
    }

    /// Gives up all that a target leads to.
    pub(crate) fn give_up(&mut self, target: Target) {
        if target & TARGET_IS_RUN != 0 {
            let place = target & TARGET_INDEX;
            self.give_up_lead(self.top.get(place));
            self.top.give_up(place, 1);
        }
    }

    /// Gives up the forks and runs that a lead leads to.
    fn give_up_lead(&mut self, lead: Range6Top) {
        if let Some(branches) = lead.branches() {
            let first = lead.target & TARGET_INDEX;
            for place in first..first + branches {
                self.give_up_lead(self.top.get(place));
            }
            self.top.give_up(first, branches);
            return;
        }
        let entries = self.entries(lead, Area::WHOLE);
        self.give_up_run(lead, &entries, &BTreeSet::new());
    }

    /// Gives up a run, and all that its ranges lead to, but for what is `kept`.
    fn give_up_run(&mut self, lead: Range6Top, entries: &[Entry], kept: &BTreeSet<Target>) {
        let runs = entries.iter().filter_map(|entry| entry.1.run());
        for target in runs.filter(|target| !kept.contains(target)) {
            let first = target & TARGET_INDEX;
            let len = u32::try_from(self.low.get(first).start).expect("a length");
            self.low.give_up(first, len + 1);
        }
        self.mid.give_up(lead.target, lead.start);
    }
}

/// Ranges with those of the patches in their place.
fn spliced(former: &[Entry], area: Area, patches: &[Patch]) -> Vec<Entry> {
    let mut all = Vec::with_capacity(former.len() + 2 * patches.len());
    let mut next = Some(area.first);
    for patch in patches {
        let (first, last) = (patch.first.max(area.first), patch.last.min(area.last()));
        if let Some(next) = next.filter(|next| *next < first) {
            all.extend(between(former, next, first - 1));
        }
        all.extend(between(&patch.entries, first, last));
        next = last.checked_add(1);
    }
    if let Some(next) = next.filter(|next| *next <= area.last()) {
        all.extend(between(former, next, area.last()));
    }
    all.dedup_by(|later, earlier| earlier.1.goes_on(later.1));
    all
}

/// The ranges of the values between two.
fn between(entries: &[Entry], first: u32, last: u32) -> impl Iterator<Item = Entry> {
    let from = entries.partition_point(|entry| entry.0 <= first) - 1;
    let to = entries.partition_point(|entry| entry.0 <= last);
    let entries = entries[from..to].iter();
    entries.map(move |&(start, block)| (start.max(first), block))
}
