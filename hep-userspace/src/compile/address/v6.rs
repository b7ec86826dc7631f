//! IPv6: roots over bits 0–15, then ranges over bits 16–31, 32–63 and 64–127.

use hep_common::address::{
    ROOT_LEN, Range6Low, Range6Mid, Range6Top, Ranges6Low, Ranges6Mid, Ranges6Top, Run,
    TARGET_IS_RUN, Target,
};

use super::{blocks, index};

/// The IPv6 tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compile) struct Tables6 {
    /// One per value of bits 0–15.
    pub(in crate::compile) roots: Vec<Run>,
    /// Bits 16–31.
    pub(in crate::compile) top: Vec<Ranges6Top>,
    /// Bits 32–63.
    pub(in crate::compile) mid: Vec<Ranges6Mid>,
    /// Bits 64–127.
    pub(in crate::compile) low: Vec<Ranges6Low>,
}

/// Where a range starts, and its class.
type Boundary = (u128, u16);

/// Builds the tables of a partition, given as starts and classes; the first starts at 0.
pub(in crate::compile) fn tables6(partition: &[Boundary]) -> Tables6 {
    let mut stages = Stages::default();
    let mut roots = Vec::with_capacity(ROOT_LEN as usize);
    let mut rest = partition;
    let mut class = 0;
    for root in 0..u128::from(ROOT_LEN) {
        let within = rest.partition_point(|(start, _)| start >> 112 == root);
        let (here, later) = rest.split_at(within);
        rest = later;
        roots.push(stages.root(root << 112, here, class));
        class = here.last().map_or(class, |last| last.1);
    }
    Tables6 {
        roots,
        top: blocks(&stages.top, |ranges| Ranges6Top { ranges }),
        mid: blocks(&stages.mid, |ranges| Ranges6Mid { ranges }),
        low: blocks(&stages.low, |ranges| Ranges6Low { ranges }),
    }
}

/// The ranges of the three stages so far.
#[derive(Default)]
struct Stages {
    top: Vec<Range6Top>,
    mid: Vec<Range6Mid>,
    low: Vec<Range6Low>,
}

impl Stages {
    /// The root entry for the /16 at `base` with these boundaries, when `class` reigned before it.
    fn root(&mut self, base: u128, boundaries: &[Boundary], class: u16) -> Run {
        let whole = match boundaries {
            [] => Some(class),
            [(start, only)] if *start == base => Some(*only),
            _ => None,
        };
        if let Some(class) = whole {
            return Run {
                first: class.into(),
                len: 0,
            };
        }
        let ranges = split::<96, 16>(boundaries, class, |inner, class| self.mid(inner, class));
        let first = index(self.top.len());
        self.top
            .extend(ranges.iter().map(|&(start, target)| Range6Top {
                start: u32::try_from(start).expect("16 bits"),
                target,
            }));
        Run {
            first,
            len: index(ranges.len()),
        }
    }

    /// Adds the run of a /32.
    fn mid(&mut self, boundaries: &[Boundary], class: u16) -> Target {
        let ranges = split::<64, 32>(boundaries, class, |inner, class| self.low(inner, class));
        let first = index(self.mid.len());
        self.mid.push(Range6Mid {
            start: index(ranges.len()),
            target: 0,
        });
        self.mid
            .extend(ranges.iter().map(|&(start, target)| Range6Mid {
                start: u32::try_from(start).expect("32 bits"),
                target,
            }));
        first | TARGET_IS_RUN
    }

    /// Adds the run of a /64.
    fn low(&mut self, boundaries: &[Boundary], class: u16) -> Target {
        let ranges = split::<0, 64>(boundaries, class, |_, class| class.into());
        let first = index(self.low.len());
        self.low.push(Range6Low {
            start: index(ranges.len()).into(),
            ..Range6Low::default()
        });
        self.low
            .extend(ranges.iter().map(|&(start, target)| Range6Low {
                start: u64::try_from(start).expect("64 bits"),
                target,
                reserved: 0,
            }));
        first | TARGET_IS_RUN
    }
}

/// Cuts one block of addresses into ranges of the `BITS` bits above the lowest `BELOW`, each with
/// its class, or with what `inner` makes of the boundaries that fall inside one value.
fn split<const BELOW: u32, const BITS: u32>(
    boundaries: &[Boundary],
    before: u16,
    mut inner: impl FnMut(&[Boundary], u16) -> Target,
) -> Vec<(u128, Target)> {
    let mask = (1_u128 << BITS) - 1;
    let mut class = before;
    let mut ranges: Vec<(u128, Target)> = vec![(0, class.into())];
    let mut push = |start: u128, target: Target| {
        if ranges.last().is_some_and(|last| last.0 == start) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|last| last.1 != target) {
            ranges.push((start, target));
        }
    };
    for group in boundaries.chunk_by(|a, b| a.0 >> BELOW == b.0 >> BELOW) {
        let (start, last) = (group[0].0, group[group.len() - 1].1);
        let value = (start >> BELOW) & mask;
        let aligned = start & ((1 << BELOW) - 1) == 0;
        if aligned && group.len() == 1 {
            push(value, last.into());
        } else {
            push(value, inner(group, class));
            if value < mask {
                push(value + 1, last.into());
            }
        }
        class = last;
    }
    ranges
}
