//! IPv4: roots over the top 16 bits, ranges over the low 16.

use hep_common::address::{ROOT_LEN, Range4, Ranges4, Run};

use super::{blocks, index};

/// The IPv4 tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::compile) struct Tables4 {
    /// One per value of the top 16 bits.
    pub(in crate::compile) roots: Vec<Run>,
    /// Ranges of all runs.
    pub(in crate::compile) ranges: Vec<Ranges4>,
}

/// Builds the tables of a partition, given as starts and classes; the first starts at 0.
pub(in crate::compile) fn tables4(partition: &[(u32, u16)]) -> Tables4 {
    let mut roots = Vec::with_capacity(ROOT_LEN as usize);
    let mut ranges: Vec<Range4> = Vec::new();
    let mut rest = partition;
    let mut class = 0;
    for root in 0..ROOT_LEN {
        let within = rest.partition_point(|(start, _)| start >> 16 == root);
        let (here, later) = rest.split_at(within);
        rest = later;
        let base = root << 16;
        if let [(start, only)] = here
            && *start == base
        {
            class = *only;
        } else if let Some((_, last)) = here.last() {
            let first = index(ranges.len());
            if here[0].0 != base {
                ranges.push(Range4 { start: 0, class });
            }
            ranges.extend(here.iter().map(|(start, class)| Range4 {
                start: u16::try_from(start & 0xffff).expect("masked to 16 bits"),
                class: *class,
            }));
            class = *last;
            roots.push(Run {
                first,
                len: index(ranges.len()) - first,
            });
            continue;
        }
        roots.push(Run {
            first: class.into(),
            len: 0,
        });
    }
    Tables4 {
        roots,
        ranges: blocks(&ranges, |ranges| Ranges4 { ranges }),
    }
}
