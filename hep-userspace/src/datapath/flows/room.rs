//! Capacities of the tables of flows, derived from the host's memory.

use std::fs;

use aya::util::nr_cpus;

/// Least memory of the kernel that hep may take at rest, bytes (spec EV-263).
const LEAST_BYTES: u64 = 16_000_000;
/// Divisor of the host's memory: the share that hep may take.
const SHARE: u64 = 100;
/// Memory with a small policy besides tables of flows, programs and inner maps included, bytes (measured: 9.4
/// MB).
const FIXED_BYTES: u64 = 9_800_000;
/// Memory for each CPU that the host may have, which has counters of its own, bytes (measured: 0.26 MB).
const CPU_BYTES: u64 = 270_000;

/// The kernel's memory for a free place in a table of assured flows, bytes: a bucket.
const BUCKET_BYTES: u64 = 16;
/// The kernel's memory for a place in the table of the others, which is preallocated, bytes: bucket and
/// element.
const PLACE_BYTES: u64 = BUCKET_BYTES + 48 + 40 + 64;

/// Fewest places of a table, unless fewer are configured.
const FEWEST: u32 = 1 << 13;
/// Most places of a table, unless more are configured.
const MOST: u32 = 1 << 19;

/// Capacities of the tables of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRoom {
    /// Assured TCP connections of each family.
    pub tcp: u32,
    /// Assured flows of other protocols, of each family.
    pub others: u32,
    /// Flows that are not assured, of both families.
    pub unassured: u32,
}

impl FlowRoom {
    /// Room for `flows` flows in each table, at least one.
    #[must_use]
    pub const fn uniform(flows: u32) -> Self {
        let flows = if flows == 0 { 1 } else { flows };
        Self {
            tcp: flows,
            others: flows,
            unassured: flows,
        }
    }

    /// Room that a host with so much memory and so many CPUs affords (spec EV-263). With `wanted`, the tables
    /// of assured flows have exactly that much.
    #[must_use]
    pub fn of(memory_bytes: u64, cpus: u32, wanted: Option<u32>) -> Self {
        let budget = LEAST_BYTES.max(memory_bytes / SHARE);
        let taken = FIXED_BYTES + CPU_BYTES * u64::from(cpus);
        let left = budget.saturating_sub(taken);
        let mut places = MOST;
        while places > FEWEST && Self::scaled(places).bytes_at_rest() > left {
            places /= 2;
        }
        match wanted {
            None => Self::scaled(places),
            Some(wanted) => Self {
                unassured: places.min(wanted.max(1)),
                ..Self::uniform(wanted)
            },
        }
    }

    /// Room that this host affords (spec EV-263); `memory_bytes`, if given, replaces its actual memory.
    #[must_use]
    pub fn of_host(memory_bytes: Option<u64>, wanted: Option<u32>) -> Self {
        let memory = memory_bytes.or_else(memory).unwrap_or(0);
        let cpus = nr_cpus().unwrap_or(1);
        Self::of(memory, u32::try_from(cpus).unwrap_or(u32::MAX), wanted)
    }

    /// Room with `places` for flows that are not assured, and in proportion for the others.
    const fn scaled(places: u32) -> Self {
        Self {
            tcp: places,
            others: places / 2,
            unassured: places,
        }
    }

    /// The kernel's memory for the tables while they are empty, bytes; for powers of two.
    const fn bytes_at_rest(self) -> u64 {
        let assured = 2 * (self.tcp as u64 + self.others as u64);
        assured * BUCKET_BYTES + self.unassured as u64 * PLACE_BYTES
    }

    /// The larger room of both, table by table.
    #[must_use]
    pub fn at_least(self, other: Self) -> Self {
        Self {
            tcp: self.tcp.max(other.tcp),
            others: self.others.max(other.others),
            unassured: self.unassured.max(other.unassured),
        }
    }
}

/// The host's memory, bytes.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// EV-263, EV-159.
    #[test]
    fn memory_decides_where_nobody_does() {
        let room = |memory| FlowRoom::of(memory, 2, None);
        // What MemTotal says on a host with 8 GiB.
        let eight = room(8 * GIB - GIB / 4);
        assert!(eight.unassured >= 256_000, "{eight:?}");
        assert!(room(GIB).unassured < eight.unassured);
        assert_eq!(room(64 * GIB).unassured, MOST);
        assert_eq!(room(0), room(GIB));
        assert_eq!(FlowRoom::of(GIB, 64, None).unassured, FEWEST);
    }

    /// EV-263: 512 000 flows fit where the administrator says so.
    #[test]
    fn who_asks_gets_what_was_asked_for() {
        let room = FlowRoom::of(GIB, 2, Some(512_000));
        assert_eq!([room.tcp, room.others], [512_000; 2]);
        assert_eq!(FlowRoom::of(64 * GIB, 2, Some(100)), FlowRoom::uniform(100));
    }
}
