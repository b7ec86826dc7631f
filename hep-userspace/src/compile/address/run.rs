//! Runs of the middle stage of IPv6: the ranges of some values, and their encoding in the map.

use hep_common::address::{
    Range6Mid, TARGET_INDEX, TARGET_IS_HOST, TARGET_IS_ISLAND, TARGET_IS_RUN, Target,
};

/// Where all addresses of a /64 lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// To one class.
    Class(u16),
    /// To two: one address is unlike the others.
    Host {
        /// Bits 64–127 of the address.
        low: u64,
        /// Its class.
        class: u16,
        /// The class of the others.
        others: u16,
    },
    /// To a run of the low stage.
    Run(Target),
}

impl Block {
    /// Whether a range with this block also covers the next one's values, because that would lead to
    /// `next`.
    pub(crate) fn goes_on(self, next: Self) -> bool {
        matches!(self, Self::Class(_)) && self == next
    }

    /// The run of the low stage.
    pub(crate) const fn run(self) -> Option<Target> {
        match self {
            Self::Run(target) => Some(target),
            Self::Class(_) | Self::Host { .. } => None,
        }
    }

    /// The target without more about it; `None` if there is more.
    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Self::Class(class) => Some(class.into()),
            Self::Run(target) => Some(target),
            Self::Host { .. } => None,
        }
    }

    /// The block of a target: its class, or its run.
    pub(crate) fn of(target: Target) -> Self {
        if target & TARGET_IS_RUN != 0 {
            return Self::Run(target);
        }
        Self::Class(class(target))
    }
}

/// A range: its first value, and where its /64s lead, up to the start of the next.
pub(crate) type Entry = (u32, Block);

/// The class that most ranges of a run have, or that surrounds their hosts.
pub(crate) fn common(entries: &[Entry]) -> u16 {
    let classes = entries.iter().filter_map(|entry| match entry.1 {
        Block::Class(class) => Some(class),
        Block::Host { others, .. } => Some(others),
        Block::Run(_) => None,
    });
    let mut classes: Vec<u16> = classes.collect();
    classes.sort_unstable();
    let groups = classes.chunk_by(|a, b| a == b);
    groups
        .max_by_key(|group| group.len())
        .map_or(0, |group| group[0])
}

/// The ranges of the values from `first` to `last` as the table has them: the first is for all that
/// `common` is the class of, and around every host.
pub(crate) fn encoded(entries: &[Entry], first: u32, last: u32, common: u16) -> Vec<Range6Mid> {
    let mut run = vec![Range6Mid {
        start: first,
        target: common.into(),
        more: 0,
    }];
    for (at, &(start, block)) in entries.iter().enumerate() {
        let end = entries.get(at + 1).map_or(last, |next| next.0 - 1);
        let (target, more) = match block {
            Block::Class(class) if class == common => continue,
            Block::Class(class) => (Target::from(class) | TARGET_IS_ISLAND, end.into()),
            Block::Run(target) => (target | TARGET_IS_ISLAND, end.into()),
            Block::Host { low, class, others } => {
                debug_assert_eq!(others, common, "else it is a run");
                (Target::from(class) | TARGET_IS_HOST, low)
            }
        };
        run.push(Range6Mid {
            start: start.max(first),
            target,
            more,
        });
    }
    run
}

/// Decodes a run of the table; `last` is its last value.
pub(crate) fn decoded(run: &[Range6Mid], last: u32) -> Vec<Entry> {
    let Some((head, islands)) = run.split_first() else {
        return Vec::new();
    };
    let common = class(head.target);
    let mut entries = Vec::with_capacity(2 * run.len());
    let mut next = Some(head.start);
    for island in islands {
        let start = island.start;
        if let Some(next) = next.filter(|next| *next < start) {
            entries.push((next, Block::Class(common)));
        }
        let mut end = start;
        let block = if island.target & TARGET_IS_HOST != 0 {
            Block::Host {
                low: island.more,
                class: class(island.target),
                others: common,
            }
        } else {
            end = u32::try_from(island.more).expect("the last of 32-bit values");
            Block::of(island.target & !TARGET_IS_ISLAND)
        };
        entries.push((start, block));
        next = end.checked_add(1);
    }
    if let Some(next) = next.filter(|next| *next <= last) {
        entries.push((next, Block::Class(common)));
    }
    entries
}

/// The class that a target is.
fn class(target: Target) -> u16 {
    u16::try_from(target & TARGET_INDEX).expect("a class has 16 bits")
}
