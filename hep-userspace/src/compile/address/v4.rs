//! IPv4: roots over the top 16 bits, ranges over the low 16.

use hep_common::address::{RANGES4_PER_BLOCK, ROOT_LEN, Range4, Run};

use super::{
    layout::{Boundary, Layout, Sweep, index},
    store::{Growing, Store, Table as _},
};
use crate::compile::segments::Segments;

/// Most roots of a change that is not a load from nothing.
const MAX_CHANGED: u32 = 2048;

/// The IPv4 tables.
#[derive(Clone, Debug)]
pub(crate) struct Layout4 {
    /// One per value of the top 16 bits.
    pub(crate) roots: Segments<Run>,
    /// Ranges of all runs.
    pub(crate) ranges: Store<Range4>,
}

impl Layout for Layout4 {
    type Address = u32;

    fn new(partition: &[Boundary<u32>]) -> Self {
        let mut roots = Vec::with_capacity(ROOT_LEN as usize);
        let mut ranges = Growing::default();
        let mut run = Vec::new();
        let mut rest = partition;
        let mut class = 0;
        for root in 0..ROOT_LEN {
            let within = rest.partition_point(|(start, _)| start >> 16 == root);
            let (here, later) = rest.split_at(within);
            rest = later;
            roots.push(match whole(root << 16, here, class) {
                Some(class) => class_of_all(class),
                None => {
                    run.clear();
                    add(&mut run, root << 16, here, class);
                    Run {
                        first: ranges.put(&run).expect("a table that is made has room"),
                        len: index(run.len()),
                    }
                }
            });
            class = here.last().map_or(class, |last| last.1);
        }
        Self {
            roots: roots.into(),
            ranges: Store::new(ranges, RANGES4_PER_BLOCK),
        }
    }

    fn changed(&self, changed: &[(u32, u32)], sweep: &mut Sweep<'_, u32>) -> Option<Self> {
        let mut next = self.clone();
        let mut done = None;
        let mut count = 0;
        for (first, last) in changed {
            for root in first >> 16..=last >> 16 {
                if done.is_some_and(|done| root <= done) {
                    continue;
                }
                done = Some(root);
                count += 1;
                if count > MAX_CHANGED {
                    return None;
                }
                let here = sweep(root << 16, root << 16 | 0xffff)?;
                next.renew(root, &here)?;
            }
        }
        next.ranges.end();
        Some(next)
    }
}

impl Layout4 {
    /// Gives a root other ranges; the first of them starts where the root does.
    fn renew(&mut self, root: u32, here: &[Boundary<u32>]) -> Option<()> {
        let former = self.roots[root as usize];
        let run = match whole(root << 16, here, 0) {
            Some(class) => class_of_all(class),
            None => {
                let mut ranges = Vec::with_capacity(here.len());
                add(&mut ranges, root << 16, here, 0);
                if self
                    .ranges
                    .run(former.first, former.len)
                    .eq(ranges.iter().copied())
                {
                    return Some(());
                }
                Run {
                    first: self.ranges.put(&ranges)?,
                    len: index(ranges.len()),
                }
            }
        };
        if run != former {
            self.roots.write(root as usize, &[run]);
            self.ranges.give_up(former.first, former.len);
        }
        Some(())
    }
}

/// The class of a root, if it has but one.
fn whole(base: u32, here: &[Boundary<u32>], before: u16) -> Option<u16> {
    match here {
        [] => Some(before),
        [(start, only)] if *start == base => Some(*only),
        _ => None,
    }
}

fn class_of_all(class: u16) -> Run {
    Run {
        first: class.into(),
        len: 0,
    }
}

/// Adds the ranges of a root.
fn add(ranges: &mut Vec<Range4>, base: u32, here: &[Boundary<u32>], before: u16) {
    if here.first().is_some_and(|first| first.0 != base) {
        ranges.push(Range4 {
            start: 0,
            class: before,
        });
    }
    ranges.extend(here.iter().map(|(start, class)| Range4 {
        start: u16::try_from(start & 0xffff).expect("masked to 16 bits"),
        class: *class,
    }));
}
