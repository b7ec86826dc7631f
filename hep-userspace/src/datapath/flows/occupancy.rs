//! Occupancy of the tables of flows.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Pod;
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    fragment::{FragmentKey, FragmentVerdict},
};
use serde::{Deserialize, Serialize};

use crate::datapath::{KernelError, Maps, object::names};

/// Entries read at a time.
const SLICE: u32 = 4096;
/// From this share on a table is under pressure, percent.
const PRESSURE: usize = 80;

/// Occupancy of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occupancy {
    /// `assuredTcp`, `assured` (other protocols), `unassured` or `fragments`.
    pub table: String,
    /// IP version; none: both.
    pub family: Option<u8>,
    /// Entries, expired ones that were not swept yet included.
    pub entries: usize,
    /// Most entries that fit.
    pub capacity: usize,
    /// Memory of the kernel that the table takes now, bytes.
    pub bytes: u64,
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

    /// Warning about a table that is under pressure.
    #[must_use]
    pub fn warning(&self) -> String {
        let advice = match self.table.as_str() {
            "assuredTcp" | "assured" => {
                "where it is full, a flood may push out further ones; raise bpfMapSizeConntrack"
            }
            "unassured" => "new flows push each other out, assured ones stay",
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

    /// The table in words: `assured TCP IPv4`.
    #[must_use]
    pub fn name(&self) -> String {
        let table = match self.table.as_str() {
            "assuredTcp" => "assured TCP",
            other => other,
        };
        match self.family {
            Some(family) => format!("{table} IPv{family}"),
            None => table.to_owned(),
        }
    }
}

type Count = fn(&Maps, &'static str) -> Result<usize, KernelError>;

const TABLES: [(&str, Count); 6] = [
    (names::ASSURED_TCP4, count::<ConnKey4, Conn>),
    (names::ASSURED_TCP6, count::<ConnKey6, Conn>),
    (names::ASSURED4, count::<ConnKey4, Conn>),
    (names::ASSURED6, count::<ConnKey6, Conn>),
    (names::UNASSURED, count::<ConnKey6, Conn>),
    (names::FRAGMENTS, count::<FragmentKey, FragmentVerdict>),
];

impl Maps {
    /// Occupancy of the tables of flows and of fragmented packets; reads all entries.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] or [`KernelError::Map`] with the kernel's error.
    pub fn occupancy(&self) -> Result<Vec<Occupancy>, KernelError> {
        TABLES
            .iter()
            .map(|(map, count)| self.occupancy_of(map, count(self, map)?))
            .collect()
    }

    /// Memory of the kernel that a map takes, bytes, as the kernel counts it.
    pub(crate) fn bytes(&self, map: &'static str) -> Result<u64, KernelError> {
        let descriptor = self.data(map)?.fd().as_fd().as_raw_fd();
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}"))
            .map_err(KernelError::io(map, "inspect"))?;
        let memory = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        Ok(memory
            .and_then(|bytes| bytes.trim().parse().ok())
            .unwrap_or(0))
    }

    /// Occupancy of a table that holds `entries`.
    pub(crate) fn occupancy_of(
        &self,
        map: &'static str,
        entries: usize,
    ) -> Result<Occupancy, KernelError> {
        let (table, family) = match map {
            names::ASSURED_TCP4 => ("assuredTcp", Some(4)),
            names::ASSURED_TCP6 => ("assuredTcp", Some(6)),
            names::ASSURED4 => ("assured", Some(4)),
            names::ASSURED6 => ("assured", Some(6)),
            names::UNASSURED => ("unassured", None),
            _ => ("fragments", None),
        };
        Ok(Occupancy {
            table: table.to_owned(),
            family,
            entries,
            capacity: self.info(map)?.max_entries() as usize,
            bytes: self.bytes(map)?,
        })
    }
}

fn count<K: Pod, V: Pod>(maps: &Maps, name: &'static str) -> Result<usize, KernelError> {
    let table = maps.hash::<K, V>(name)?;
    table.count(SLICE).map_err(KernelError::io(name, "read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_begins_at_four_fifths() {
        let of = |entries, capacity| Occupancy {
            table: "assuredTcp".to_owned(),
            family: Some(6),
            entries,
            capacity,
            bytes: 0,
        };
        assert!(!of(799, 1000).is_pressing());
        assert!(of(800, 1000).is_pressing());
        assert!(of(0, 0).is_pressing(), "nothing fits");
        assert_eq!(of(1, 3).percent(), 33);
        assert_eq!(of(1, 3).name(), "assured TCP IPv6");
    }
}
