//! Which generation was made from which, and what it leaves to the next.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use hep_common::Family;

use super::{
    address::{Layout4, Layout6},
    classes::{addresses::Addresses, fields::Ports},
    lists::{flattened::Flattened, known_lists::KnownLists, rows::Rows},
    sets::selected::AllUnions,
};

/// State that the next generation is made from.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) v4: Addresses<Layout4>,
    pub(crate) v6: Addresses<Layout6>,
    pub(crate) unions: AllUnions,
}

/// State of the last compilation, which the next one changes in place. Its numbers last, and all of it is
/// compared with what the next one needs, so that it may be of any generation.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    pub(crate) flattened: Flattened,
    pub(crate) lists: Option<KnownLists>,
    pub(crate) ports: Ports,
    pub(crate) rows: Rows,
}

impl Cache {
    /// Whether most of it is of earlier generations.
    fn is_cluttered(&self) -> bool {
        self.flattened.is_cluttered() || self.rows.is_cluttered()
    }
}

/// Origin of a generation's tables. The default is for tables made by hand.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// Unique within the process; 0 by default.
    id: u64,
    /// The generation that the tables were made from, if not from nothing.
    after: Option<u64>,
    memory: Option<Arc<Memory>>,
    /// Origin of the rows, and their number.
    rows: (u64, usize),
    cache: Arc<Mutex<Option<Box<Cache>>>>,
}

impl Lineage {
    /// The lineage of a generation after `former`, with the state that it leaves to the next one.
    pub(crate) fn after(
        former: Option<&Self>,
        memory: Memory,
        cache: Box<Cache>,
        rows: (u64, usize),
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let shared = former.map(|former| Arc::clone(&former.cache));
        let shared = shared.unwrap_or_default();
        *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            after: former.map(|former| former.id),
            memory: Some(Arc::new(memory)),
            rows,
            cache: shared,
        }
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_deref()
    }

    /// The state of the last compilation; an empty one if another compilation has it, or most of it is old.
    pub(crate) fn cache(&self) -> Box<Cache> {
        let mut shared = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let last = shared.take().filter(|last| !last.is_cluttered());
        last.unwrap_or_default()
    }

    /// Whether the rows may be written into the map of `former`'s while packets are judged by them: every row
    /// of `former` is in the same place.
    #[must_use]
    pub fn continues_rows(&self, former: &Self) -> bool {
        let ((origin, count), (former_origin, former_count)) = (self.rows, former.rows);
        self.id != 0 && origin == former_origin && count >= former_count
    }

    /// Whether this family's tables may overwrite `former`'s maps in place while packets are judged by
    /// them: every entry that `former` reads is unchanged.
    #[must_use]
    pub fn continues(&self, former: &Self, family: Family) -> bool {
        let Some(memory) = &self.memory else {
            return false;
        };
        let is_continued = match family {
            Family::V4 => memory.v4.is_continued,
            Family::V6 => memory.v6.is_continued,
        };
        self.id == former.id || is_continued && self.after == Some(former.id)
    }
}

/// Always equal: it has no effect on the meaning of the tables.
impl PartialEq for Lineage {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Lineage {}
