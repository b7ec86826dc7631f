//! Forgetting flows that have been idle for too long, a slice at a time.
//!
//! The programs ignore an expired entry, so sweeping only makes room. An entry is read again right before it
//! is removed, because a packet may have renewed it since the slice was copied.

use aya::{Pod, maps::HashMap};
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    fragment::{FragmentKey, FragmentVerdict},
    settings::Settings,
    tick::Tick,
};

use crate::datapath::{
    KernelError, Maps, Occupancy,
    object::names,
    sys::{bpf::Cursor, clock::monotonic_ns},
};

/// Entries read in one slice.
const SLICE: u32 = 4096;

/// Position of the next slice, and results of the round so far.
#[derive(Clone, Debug, Default)]
pub struct SweepCursor {
    table: usize,
    at: Cursor,
    /// Entries of the table at hand that stay.
    left: usize,
    /// Occupancy of the tables that this round has completed.
    pub occupancy: Vec<Occupancy>,
}

/// Result of one slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries read.
    pub seen: usize,
    /// Entries removed.
    pub removed: usize,
    /// All tables were gone through; the cursor is at the start again.
    pub round_ended: bool,
}

type Sweep = fn(&Maps, &'static str, &mut Cursor, &Settings) -> Result<(Swept, bool), KernelError>;

/// The tables in the order in which they are swept: short-lived entries first.
const TABLES: [(&str, Sweep); 6] = [
    (names::FRAGMENTS, sweep::<FragmentKey, FragmentVerdict>),
    (names::UNASSURED, sweep::<ConnKey6, Conn>),
    (names::ASSURED4, sweep::<ConnKey4, Conn>),
    (names::ASSURED6, sweep::<ConnKey6, Conn>),
    (names::ASSURED_TCP4, sweep::<ConnKey4, Conn>),
    (names::ASSURED_TCP6, sweep::<ConnKey6, Conn>),
];

trait Mortal: Pod {
    fn is_expired(&self, now_ns: u64, settings: &Settings) -> bool;
}

impl Mortal for Conn {
    fn is_expired(&self, now_ns: u64, settings: &Settings) -> bool {
        Self::is_expired(self, Tick::at(now_ns), &settings.timeouts)
    }
}

impl Mortal for FragmentVerdict {
    fn is_expired(&self, now_ns: u64, settings: &Settings) -> bool {
        now_ns.saturating_sub(self.seen_ns) > settings.fragment_timeout_ns
    }
}

impl Maps {
    /// Looks at about 4096 entries from the cursor on and removes the expired ones. Without a
    /// generation there are no timeouts, and nothing is removed.
    ///
    /// # Errors
    ///
    /// The kernel's error; the cursor is where it was, or in the next table.
    pub fn sweep_slice(&self, cursor: &mut SweepCursor) -> Result<Swept, KernelError> {
        let settings = match self.settings() {
            Ok(settings) => settings,
            Err(KernelError::NoGeneration) => {
                return Ok(Swept {
                    round_ended: true,
                    ..Swept::default()
                });
            }
            Err(error) => return Err(error),
        };
        let (map, sweep) = TABLES[cursor.table % TABLES.len()];
        let (mut swept, end) = sweep(self, map, &mut cursor.at, &settings)?;
        cursor.left += swept.seen - swept.removed;
        if end {
            let left = std::mem::take(&mut cursor.left);
            cursor.occupancy.push(self.occupancy_of(map, left)?);
            cursor.at = Cursor::default();
            cursor.table = (cursor.table + 1) % TABLES.len();
            swept.round_ended = cursor.table == 0;
        }
        Ok(swept)
    }
}

fn sweep<K: Pod, V: Mortal>(
    maps: &Maps,
    name: &'static str,
    cursor: &mut Cursor,
    settings: &Settings,
) -> Result<(Swept, bool), KernelError> {
    let batch = maps
        .hash::<K, V>(name)?
        .lookup(cursor, SLICE)
        .map_err(KernelError::io(name, "sweep"))?;
    let now_ns = monotonic_ns();
    let expired: Vec<&K> = batch
        .keys
        .iter()
        .zip(&batch.values)
        .filter(|(_, value)| value.is_expired(now_ns, settings))
        .map(|(key, _)| key)
        .collect();
    let mut removed = 0;
    if !expired.is_empty() {
        let mut map = maps.reopen(name)?;
        let mut map: HashMap<_, K, V> =
            HashMap::try_from(&mut map).map_err(KernelError::map(name, "use"))?;
        for key in expired {
            let is_still_expired = map
                .get(key, 0)
                .is_ok_and(|value| value.is_expired(now_ns, settings));
            if is_still_expired && map.remove(key).is_ok() {
                removed += 1;
            }
        }
    }
    let swept = Swept {
        seen: batch.keys.len(),
        removed,
        round_ended: false,
    };
    Ok((swept, batch.end))
}
