//! The interface table: open addressing by interface index.

use hep_common::endpoint::{Interface, MAX_PROBES};

use crate::compile::CompileError;

/// Most slots of the interface table.
const MAX_TABLE: usize = 1 << 20;

/// Puts the entries into a table of the smallest size, a power of two of at least twice their
/// number, at which [`MAX_PROBES`] find each of them.
///
/// # Errors
///
/// [`CompileError::TableTooLarge`] if there is no such size.
pub(crate) fn interface_table(entries: &[Interface]) -> Result<Vec<Interface>, CompileError> {
    let mut size = (2 * entries.len())
        .next_power_of_two()
        .max(MAX_PROBES as usize);
    while size <= MAX_TABLE {
        if let Some(table) = try_size(entries, size) {
            return Ok(table);
        }
        size *= 2;
    }
    Err(CompileError::TableTooLarge {
        table: "IFACES",
        entries: size,
        limit: MAX_TABLE,
    })
}

fn try_size(entries: &[Interface], size: usize) -> Option<Vec<Interface>> {
    let mut table = vec![Interface::default(); size];
    for entry in entries {
        let home = entry.ifindex as usize;
        let slot = (0..MAX_PROBES as usize)
            .map(|probe| (home + probe) & (size - 1))
            .find(|slot| table[*slot].ifindex == 0)?;
        table[slot] = *entry;
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(indices: &[u32]) -> Vec<Interface> {
        indices
            .iter()
            .map(|ifindex| Interface {
                ifindex: *ifindex,
                ..Interface::default()
            })
            .collect()
    }

    fn finds(table: &[Interface], ifindex: u32) -> bool {
        (0..MAX_PROBES)
            .any(|probe| table[(ifindex + probe) as usize & (table.len() - 1)].ifindex == ifindex)
    }

    #[test]
    fn every_interface_is_found_within_the_probes() {
        for indices in [
            vec![],
            vec![2],
            vec![1, 2, 3, 4, 5],
            (0..12).map(|n| 1 + 64 * n).collect(),
            (1..1000).map(|n| n * 7).collect(),
        ] {
            let table = interface_table(&entries(&indices)).expect("a size");
            assert!(table.len().is_power_of_two());
            assert!(indices.iter().all(|ifindex| finds(&table, *ifindex)));
        }
    }

    #[test]
    fn indices_that_agree_in_all_low_bits_have_no_table() {
        let same: Vec<u32> = (0..5).map(|n| 1 + (n << 24)).collect();
        assert!(interface_table(&entries(&same)).is_err());
    }
}
