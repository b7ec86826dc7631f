//! How full the tables of flows are.

use aya::Pod;
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    fragment::{FragmentKey, FragmentVerdict},
};
use serde::{Deserialize, Serialize};

use super::{KernelError, Maps, names, sys::Cursor};

/// Entries read at a time.
const SLICE: u32 = 4096;
/// From this share on a table is under pressure, percent.
const PRESSURE: usize = 80;

/// How full a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occupancy {
    /// `established`, `halfOpen` or `fragments`.
    pub table: String,
    /// IP version; none: both.
    pub family: Option<u8>,
    /// Entries, expired ones that were not swept yet included.
    pub entries: usize,
    /// Most entries that fit; beyond them the least recently used one makes room.
    pub capacity: usize,
}

impl Occupancy {
    /// Entries in percent of the capacity.
    #[must_use]
    pub const fn percent(&self) -> usize {
        match self.capacity {
            0 => 100,
            capacity => self.entries.saturating_mul(100) / capacity,
        }
    }

    /// Whether little room is left.
    #[must_use]
    pub const fn is_pressing(&self) -> bool {
        self.percent() >= PRESSURE
    }

    /// What to say of a table that is under pressure.
    #[must_use]
    pub fn warning(&self) -> String {
        let advice = match self.table.as_str() {
            "established" => {
                "the flows that were idle longest make room; raise bpfMapSizeConntrack"
            }
            "halfOpen" => "new flows push each other out, established ones stay",
            _ => "later fragments of packets that were pushed out are dropped",
        };
        format!(
            "{} flows: the table is {} % full ({} of {}); {advice}",
            self.name(),
            self.percent(),
            self.entries,
            self.capacity
        )
    }

    /// The table in words: `established IPv4`.
    #[must_use]
    pub fn name(&self) -> String {
        let table = match self.table.as_str() {
            "halfOpen" => "half-open",
            other => other,
        };
        match self.family {
            Some(family) => format!("{table} IPv{family}"),
            None => table.to_owned(),
        }
    }
}

type Count = fn(&Maps, &'static str) -> Result<usize, KernelError>;

const TABLES: [(&str, Count); 5] = [
    (names::CONNS4, count::<ConnKey4, Conn>),
    (names::CONNS6, count::<ConnKey6, Conn>),
    (names::HALF4, count::<ConnKey4, Conn>),
    (names::HALF6, count::<ConnKey6, Conn>),
    (names::FRAGMENTS, count::<FragmentKey, FragmentVerdict>),
];

impl Maps {
    /// How full the tables of flows and of fragmented packets are; goes through all entries.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] or [`KernelError::Map`] with what the kernel said.
    pub fn occupancy(&self) -> Result<Vec<Occupancy>, KernelError> {
        TABLES
            .iter()
            .map(|(map, count)| self.occupancy_of(map, count(self, map)?))
            .collect()
    }

    /// How full a table is that holds `entries`.
    pub(super) fn occupancy_of(
        &self,
        map: &'static str,
        entries: usize,
    ) -> Result<Occupancy, KernelError> {
        let (table, family) = match map {
            names::CONNS4 => ("established", Some(4)),
            names::CONNS6 => ("established", Some(6)),
            names::HALF4 => ("halfOpen", Some(4)),
            names::HALF6 => ("halfOpen", Some(6)),
            _ => ("fragments", None),
        };
        Ok(Occupancy {
            table: table.to_owned(),
            family,
            entries,
            capacity: self.info(map)?.max_entries() as usize,
        })
    }
}

fn count<K: Pod, V: Pod>(maps: &Maps, name: &'static str) -> Result<usize, KernelError> {
    let table = maps.hash::<K, V>(name)?;
    let mut cursor = Cursor::default();
    let mut entries = 0;
    loop {
        let batch = table
            .lookup(&mut cursor, SLICE)
            .map_err(KernelError::io(name, "read"))?;
        entries += batch.keys.len();
        if batch.end {
            return Ok(entries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_begins_at_four_fifths() {
        let of = |entries, capacity| Occupancy {
            table: "halfOpen".to_owned(),
            family: Some(6),
            entries,
            capacity,
        };
        assert!(!of(799, 1000).is_pressing());
        assert!(of(800, 1000).is_pressing());
        assert!(of(0, 0).is_pressing(), "nothing fits");
        assert_eq!(of(1, 3).percent(), 33);
        assert_eq!(of(1, 3).name(), "half-open IPv6");
    }
}
