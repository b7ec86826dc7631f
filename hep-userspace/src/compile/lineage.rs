//! Which generation was made from which.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hep_common::Family;

use super::{
    address::{Layout4, Layout6},
    classes::addresses::Addresses,
    lists::blocks::Blocks,
    sets::selected::AllUnions,
};

/// State that the next generation is made from.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) v4: Addresses<Layout4>,
    pub(crate) v6: Addresses<Layout6>,
    pub(crate) unions: AllUnions,
    pub(crate) blocks: Blocks,
}

/// Origin of a generation's address tables. The default is for tables made by hand.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// Unique within the process; 0 by default.
    id: u64,
    /// The generation that the tables were made from, if not from nothing.
    after: Option<u64>,
    memory: Option<Arc<Memory>>,
}

impl Lineage {
    pub(crate) fn after(former: Option<&Self>, memory: Memory) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            after: former.map(|former| former.id),
            memory: Some(Arc::new(memory)),
        }
    }

    pub(crate) fn memory(&self) -> Option<&Memory> {
        self.memory.as_deref()
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
