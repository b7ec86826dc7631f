//! Fills the idle slots and halves with the tables of a generation.

use std::thread;

use aya::maps::MapData;

use super::{
    fill::{self, Filled, Present},
    report::{Observer, Step},
    tables::Table,
};
use crate::datapath::{Kernel, KernelError, Maps, object::names, sys::threads::join};

impl Kernel {
    /// Makes every table, the larger ones in threads of their own, and puts it into the idle slot.
    pub(super) fn fill_slots(
        &self,
        tables: &[Table<'_>],
        slot: u32,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Filled>, KernelError> {
        let has_former = self.maps.slot_in_force()?.is_some();
        let maps = &self.maps;
        let btf = self.btf();
        let work = |table: &Table<'_>| {
            if names::HALVES.contains(&table.map) {
                let written = fill::half(maps.data(table.map)?, slot, table)?;
                return Ok(Filled {
                    map: None,
                    shared: has_former && written == 0,
                    is_there: true,
                    written,
                });
            }
            let present = if has_former {
                present(maps, table.map, slot ^ 1)?
            } else {
                Present::default()
            };
            fill::fill(table, present, btf)
        };
        let filled = thread::scope(|scope| {
            let mut filled = Vec::with_capacity(tables.len());
            for table in tables {
                // If this stops the load, threads that have begun still end with the scope, before
                // the caller settles the slots.
                allow(observer, Step::Table(table.map))?;
                filled.push(if table.is_quick() {
                    Ok(work(table)?)
                } else {
                    Err(scope.spawn(|| work(table)))
                });
            }
            let filled = filled.into_iter();
            filled
                .map(|filled| filled.or_else(join))
                .collect::<Result<Vec<Filled>, KernelError>>()
        })?;
        self.put_all(tables, &filled, slot)?;
        Ok(filled)
    }

    /// Puts the maps that are not there into the idle slots, all at once: the kernel waits for each.
    fn put_all(
        &self,
        tables: &[Table<'_>],
        filled: &[Filled],
        slot: u32,
    ) -> Result<(), KernelError> {
        let elsewhere = tables.iter().zip(filled).filter_map(|(table, filled)| {
            let map = filled.map.as_ref().filter(|_map| !filled.is_there)?;
            Some((table.map, map))
        });
        thread::scope(|scope| {
            let put = |(name, map): (&'static str, &MapData)| {
                fill::put(map, self.maps.slots(name)?, slot, name)
            };
            let workers: Vec<_> = elsewhere
                .map(|table| scope.spawn(move || put(table)))
                .collect();
            workers.into_iter().try_for_each(join)
        })
    }
}

/// The maps in both slots; packets read `in_force`.
pub(super) fn present(
    maps: &Maps,
    map: &'static str,
    in_force: u32,
) -> Result<Present, KernelError> {
    Ok(Present {
        in_force: maps.inner(map, in_force)?,
        idle: maps.inner(map, in_force ^ 1)?,
    })
}

/// Calls the observer before a step.
///
/// # Errors
///
/// [`KernelError::Stopped`] if it stops the load.
pub(super) fn allow(observer: &mut dyn Observer, step: Step) -> Result<(), KernelError> {
    observer
        .before(step)
        .map_err(|source| KernelError::Stopped { step, source })
}
