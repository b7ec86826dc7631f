//! Puts a generation into force: all of it or nothing.
//!
//! Packets read one slot of every outer map; the other receives the new tables, and one store then switches
//! the programs to it. A failure before the store leaves the former generation in force. Changing a slot is
//! slow, because the kernel waits for the packets in flight, so each load prepares the next one: afterwards
//! an idle slot holds either a spare array, in which the next load writes only the differences, or the map in
//! force itself. New ranges of addresses go where the generation in force has none. Arrays of fixed length
//! have a half for each generation instead of slots.

use std::{thread, time::Instant};

use aya::maps::Array;
use hep_common::settings::{Control, Settings};

use super::{
    check,
    fill::{self, Filled},
    fill_slots::{allow, present},
    report::{Applied, AppliedTable, Observer, Step},
    stamp::Stamp,
    tables::{self, InForce},
    text::Text,
};
use crate::{
    compile::Generation,
    datapath::{
        Kernel, KernelError, Maps,
        object::names,
        sys::{bpf::value_of, mmap::Mapping, threads::join},
    },
};

impl Kernel {
    /// Brings a generation into force: fills the idle slots, flips, waits for the packets in
    /// flight, and empties the former slots. Sets the generation's number and time in its
    /// description; the number is larger than the one there, and than that of the generation in
    /// force. It is the policy's, too, if that has none, and the first one with these rules, unless the
    /// settings name another.
    ///
    /// # Errors
    ///
    /// The former generation is still in force: [`KernelError::Limit`] and
    /// [`KernelError::Contradiction`] if the tables do not fit, else what the kernel refused.
    pub fn apply(&mut self, generation: &mut Generation) -> Result<Applied, KernelError> {
        self.apply_observed(generation, &mut ())
    }

    /// Brings a generation into force like [`Self::apply`], and calls `observer` before each step.
    ///
    /// # Errors
    ///
    /// Those of [`Self::apply`], and [`KernelError::Stopped`] if the observer stopped the load.
    pub fn apply_observed(
        &mut self,
        generation: &mut Generation,
        observer: &mut dyn Observer,
    ) -> Result<Applied, KernelError> {
        let start = Instant::now();
        let number = next(
            self.maps.control()?.generation,
            generation.description.generation,
        );
        check::check(&generation.tables, self.maps.counter_capacities()?)?;
        let slot = number & 1;
        if !self.is_settled {
            // Packets may read either slot: a former process may have ended right after a flip.
            self.settle(slot ^ 1)?;
        }
        let before = Stamp::of(&generation.description);
        before.next(number).put(&mut generation.description);
        self.is_settled = false;
        let prepared = self.prepare(generation, slot, observer).and_then(|tables| {
            let fill = start.elapsed();
            allow(observer, Step::Flip(number))?;
            flip(&self.maps, number)?;
            observer.flipped();
            Ok((tables, fill))
        });
        let (tables, fill) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                before.put(&mut generation.description);
                if let Err(also) = self.settle(slot ^ 1) {
                    log::warn!("slots of the generation that was given up: {also}");
                }
                return Err(error);
            }
        };
        let in_force = start.elapsed();
        self.in_force = Some(InForce::from(&generation.tables));
        // The generation is in force whatever happens to the former one's slots.
        if let Err(error) = self.settle(slot) {
            log::warn!("slots of the former generation: {error}");
        }
        Ok(Applied {
            generation: number,
            tables,
            fill,
            in_force,
            total: start.elapsed(),
        })
    }

    /// Makes the programs classify all flows as local or forwarded again: this host's own addresses, or what
    /// it forwards, have changed.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] and [`KernelError::Io`] with the kernel's error.
    pub fn reclassify(&mut self) -> Result<(), KernelError> {
        reclassify(&self.maps)
    }

    /// Fills the idle slots and reads them back.
    fn prepare(
        &mut self,
        generation: &Generation,
        slot: u32,
        observer: &mut dyn Observer,
    ) -> Result<Vec<AppliedTable>, KernelError> {
        let mut tables = tables::of(&generation.tables, self.in_force.as_ref());
        let text = Text::new(&generation.description, &self.text)?;
        let idle = self.maps.inner(names::DESCRIPTION, slot)?;
        let idle = idle
            .map(|map| fill::id(&map, names::DESCRIPTION))
            .transpose()?;
        // Whatever happens, that map has it no longer.
        let known = self.texts.iter().position(|(map, _)| Some(*map) == idle);
        let known = known.map(|place| self.texts.remove(place).1);
        tables.push(text.table(known.as_ref()));
        let filled = self.fill_slots(&tables, slot, observer)?;

        allow(observer, Step::Counters)?;
        let slots = &generation.description.slots;
        self.maps.make_counters(slots, self.btf())?;
        self.maps.reset_reused(slots)?;

        allow(observer, Step::Settings)?;
        self.write_settings(generation, slot)?;

        allow(observer, Step::Check)?;
        for (table, filled) in tables.iter().zip(&filled) {
            let Some(map) = &filled.map else {
                continue;
            };
            let found = self.maps.inner(table.map, slot)?;
            let found = found.map(|map| fill::id(&map, table.map)).transpose()?;
            if found != Some(fill::id(map, table.map)?) {
                return Err(KernelError::Disturbed { map: table.map });
            }
        }
        let mut report: Vec<_> = tables
            .iter()
            .zip(&filled)
            .map(|(table, filled)| AppliedTable {
                map: table.map,
                entries: table.content.entries(),
                bytes: table.content.bytes(),
                shared: filled.shared,
                written: filled.written,
            })
            .collect();
        report.sort_unstable();
        drop(tables);
        self.note_text(text, &filled)?;
        Ok(report)
    }

    /// Writes the settings of a slot.
    fn write_settings(&mut self, generation: &Generation, slot: u32) -> Result<(), KernelError> {
        let mut settings = generation.tables.settings;
        if settings.same_since == 0 {
            settings.same_since = generation.description.generation;
        }
        let mut slots: Array<_, Settings> = self
            .maps
            .map_mut(names::SETTINGS)?
            .try_into()
            .map_err(KernelError::map(names::SETTINGS, "use"))?;
        slots
            .set(slot, settings, 0)
            .map_err(KernelError::map(names::SETTINGS, "write"))
    }

    /// Notes the text of a description, and the map that has it.
    fn note_text(&mut self, text: Text, filled: &[Filled]) -> Result<(), KernelError> {
        let described = filled.last().and_then(|filled| filled.map.as_ref());
        if let Some(map) = described {
            let id = fill::id(map, names::DESCRIPTION)?;
            self.texts.insert(0, (id, text.clone()));
            // That one, and the one in force until now.
            self.texts.truncate(2);
        }
        self.text = text;
        Ok(())
    }

    /// Waits until no packet reads the slots other than `in_force`, and prepares them for the next load.
    fn settle(&mut self, in_force: u32) -> Result<(), KernelError> {
        let idle = in_force ^ 1;
        if self.maps.slot_in_force()?.is_none() {
            return empty(&self.maps, idle);
        }
        let (maps, btf) = (&self.maps, self.btf());
        let puts = thread::scope(|scope| {
            let workers: Vec<_> = names::OUTER
                .into_iter()
                .map(|map| {
                    scope.spawn(move || {
                        let standby = fill::standby(map, present(maps, map, in_force)?, btf)?;
                        if let Some(standby) = &standby {
                            fill::put(standby, maps.slots(map)?, idle, map)?;
                        }
                        Ok(standby.is_some())
                    })
                })
                .collect();
            let puts = workers.into_iter().map(join);
            puts.collect::<Result<Vec<bool>, KernelError>>()
        })?;
        if !puts.contains(&true)
            && let Some(same) = self.maps.inner(names::DESCRIPTION, idle)?
        {
            // For the wait alone.
            let slots = self.maps.slots(names::DESCRIPTION)?;
            fill::put(&same, slots, idle, names::DESCRIPTION)?;
        }
        for map in names::HALVES {
            fill::even_out(self.maps.data(map)?, in_force, map)?;
        }
        self.is_settled = true;
        Ok(())
    }
}

/// The number after `generation` and `floor`; never 0, which means none, and the lowest bit changes each
/// time.
const fn next(generation: u32, floor: u32) -> u32 {
    let other = (generation & 1) ^ 1;
    // The smallest number that is not below `least` and has the other lowest bit.
    let least = if floor > generation {
        floor
    } else {
        generation
    };
    match least.checked_add(1) {
        Some(next) if next & 1 == other => next,
        Some(next) => match next.checked_add(1) {
            Some(next) => next,
            None => 2 - other,
        },
        None => 2 - other,
    }
}

/// Switches the programs to the slots of `generation`.
fn flip(maps: &Maps, generation: u32) -> Result<(), KernelError> {
    store(
        maps,
        Control {
            generation,
            ..maps.control()?
        },
    )
}

/// Makes the next packet of each flow classify it as local or forwarded again (spec EV-259).
fn reclassify(maps: &Maps) -> Result<(), KernelError> {
    let control = maps.control()?;
    store(
        maps,
        Control {
            classification: control.classification.wrapping_add(1),
            ..control
        },
    )
}

/// Replaces the word that every packet reads.
fn store(maps: &Maps, control: Control) -> Result<(), KernelError> {
    let word = value_of(crate::datapath::sys::bpf::bytes_of(&[control]))
        .ok_or(KernelError::Contradiction("the control word has 64 bits"))?;
    Mapping::whole(maps.data(names::CONTROL)?)
        .map_err(KernelError::io(names::CONTROL, "flip"))?
        .store_first(word);
    Ok(())
}

/// Empties the slots that no new packet will read, after those in flight have ended.
fn empty(maps: &Maps, slot: u32) -> Result<(), KernelError> {
    let clear = |map: &'static str| {
        maps.slots(map)?
            .clear(slot)
            .map_err(KernelError::io(map, "empty a slot of"))
    };
    // No program reads the description; the kernel waits for all of them here nevertheless.
    let waited = clear(names::DESCRIPTION);
    let cleared = thread::scope(|scope| {
        let others = names::OUTER
            .into_iter()
            .filter(|map| *map != names::DESCRIPTION);
        let workers: Vec<_> = others.map(|map| scope.spawn(move || clear(map))).collect();
        workers.into_iter().map(join).collect::<Vec<_>>()
    });
    waited.and(cleared.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_alternate_slots_and_are_never_zero() {
        assert_eq!([next(0, 0), next(1, 0)], [1, 2]);
        assert_eq!([next(0, 6), next(0, 7), next(4, 5)], [7, 9, 7]);
        assert_eq!([next(u32::MAX, 0), next(u32::MAX - 1, 0)], [2, u32::MAX]);
        assert_eq!([next(4, u32::MAX), next(5, u32::MAX)], [1, 2]);
    }
}
