//! Runs of ranges in a table that the generation in force may be reading.
//!
//! A run is never changed. A new one goes where the previous generation has none, so that the table of the
//! new generation can be written into the very map that packets are judged by; runs that the new one no
//! longer needs are free for the one after it.

use std::collections::BTreeMap;

use super::layout::index;
use crate::compile::segments::Segments;

/// A table has room for more ranges than it holds: one for this many,
const SPARE_SHARE: usize = 16;
/// or these, or twice its longest run, whichever is most.
const SPARE: usize = 2048;

/// A table that runs are put into.
pub(crate) trait Table<R: Clone + PartialEq> {
    /// Makes room for a run; returns where. `None` if there is not enough.
    fn reserve(&mut self, len: usize) -> Option<u32>;

    /// Writes a run where room was made for it.
    fn write(&mut self, first: u32, run: &[R]);

    /// The range at a place.
    fn get(&self, at: u32) -> R;

    /// Puts a run; returns where it is now. `None` if there is no room.
    fn put(&mut self, run: &[R]) -> Option<u32> {
        let first = self.reserve(run.len())?;
        self.write(first, run);
        Some(first)
    }

    /// Whether this run is at `first`.
    fn has(&self, first: u32, run: &[R]) -> bool {
        (first..).zip(run).all(|(at, range)| self.get(at) == *range)
    }
}

/// A table that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Growing<R> {
    ranges: Vec<R>,
    longest: usize,
}

impl<R> Default for Growing<R> {
    fn default() -> Self {
        Self {
            ranges: Vec::new(),
            longest: 0,
        }
    }
}

impl<R: Clone + Default + PartialEq> Table<R> for Growing<R> {
    fn reserve(&mut self, len: usize) -> Option<u32> {
        let first = self.ranges.len();
        self.ranges.resize(first + len, R::default());
        self.longest = self.longest.max(len);
        Some(index(first))
    }

    fn write(&mut self, first: u32, run: &[R]) {
        self.ranges[first as usize..][..run.len()].clone_from_slice(run);
    }

    fn get(&self, at: u32) -> R {
        self.ranges[at as usize].clone()
    }
}

/// A table of runs and the places in it that are free.
#[derive(Clone, Debug)]
pub(crate) struct Store<R> {
    ranges: Segments<R>,
    /// Start and length.
    free: BTreeMap<u32, u32>,
    /// Places that are free for the next generation.
    freed: Vec<(u32, u32)>,
}

impl<R: Copy + Default> Store<R> {
    /// A table that holds these ranges and has room for more; blocks have `per_block` ranges.
    pub(crate) fn new(grown: Growing<R>, per_block: u32) -> Self {
        let Growing {
            mut ranges,
            longest,
        } = grown;
        let used = ranges.len();
        let spare = (used / SPARE_SHARE).max(SPARE).max(2 * longest);
        let room = (used + spare).next_multiple_of(per_block as usize);
        ranges.resize(room, R::default());
        Self {
            ranges: ranges.into(),
            free: BTreeMap::from([(index(used), index(room - used))]),
            freed: Vec::new(),
        }
    }

    /// The table.
    pub(crate) const fn ranges(&self) -> &Segments<R> {
        &self.ranges
    }

    /// The `len` ranges from `first` on.
    pub(crate) fn run(&self, first: u32, len: u32) -> impl Iterator<Item = R> {
        (first..first + len).map(|at| self.ranges[at as usize])
    }

    /// Gives up a run of the previous generation.
    pub(crate) fn give_up(&mut self, first: u32, len: u32) {
        if len > 0 {
            self.freed.push((first, len));
        }
    }

    /// Ends a generation: what it gave up is free for the next.
    pub(crate) fn end(&mut self) {
        for (mut first, mut len) in self.freed.drain(..) {
            if let Some((&before, &room)) = self.free.range(..first).next_back()
                && before + room == first
            {
                self.free.remove(&before);
                (first, len) = (before, len + room);
            }
            if let Some(room) = self.free.remove(&(first + len)) {
                len += room;
            }
            self.free.insert(first, len);
        }
    }
}

impl<R: Copy + Default + PartialEq> Table<R> for Store<R> {
    /// Makes room for a run where the previous generation has none.
    fn reserve(&mut self, len: usize) -> Option<u32> {
        let len = index(len);
        let (&first, &room) = self.free.iter().find(|(_, room)| **room >= len)?;
        self.free.remove(&first);
        if room > len {
            self.free.insert(first + len, room - len);
        }
        Some(first)
    }

    fn write(&mut self, first: u32, run: &[R]) {
        self.ranges.write(first as usize, run);
    }

    fn get(&self, at: u32) -> R {
        self.ranges[at as usize]
    }
}

#[cfg(test)]
impl<R: Copy + Default + PartialEq> Store<R> {
    /// How much was put into the table and not given up.
    pub(crate) fn held(&self) -> usize {
        let free: u32 = self.free.values().sum();
        self.ranges.len() - free as usize
    }

    /// Number of places that differ from the `former` table.
    pub(crate) fn written(&self, former: &Self) -> usize {
        let places = 0..self.ranges.len().max(former.ranges.len());
        let differs = |at: &usize| self.ranges[*at] != former.ranges[*at];
        places.filter(differs).count()
    }
}
