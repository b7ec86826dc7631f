//! Counters: read as sums over the CPUs, and zeroed before they get another owner.
//!
//! They are allocated in pieces, as many as the policy needs: each CPU's own copy takes memory. Pieces last
//! as long as the maps do.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    os::fd::BorrowedFd,
    thread,
};

use aya::{
    Pod,
    maps::{Map, MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use hep_common::counter::{
    COUNTERS_LEN, COUNTERS_PER_PIECE, Counter, Counters, RULE_SLOTS_PER_PIECE,
};

use super::{check::Capacities, fill};
use crate::{
    compile::Slots,
    datapath::{KernelError, Maps, object::names, sys::threads::join},
};

/// Initial value of an interface's counters.
const ZERO: Counters = Counters {
    by_reason: [Counter {
        packets: 0,
        bytes: 0,
    }; COUNTERS_LEN],
};

/// Pairs of counters that are there for interfaces which appear between two loads.
const SPARE_PAIRS: u32 = 16;

/// Pieces of `MORE_COUNTERS` for so many interfaces: at least one, since no map is empty.
pub(crate) fn pieces_behind(interfaces: u32) -> u32 {
    let pieces = interfaces.saturating_mul(2).div_ceil(COUNTERS_PER_PIECE);
    pieces.saturating_sub(1).max(1)
}

/// Position of an interface's counters by their index: the piece, or `None` for the first ones, and the place
/// there.
const fn place(index: u32) -> (Option<u32>, u32) {
    let (piece, place) = (index / COUNTERS_PER_PIECE, index % COUNTERS_PER_PIECE);
    (piece.checked_sub(1), place)
}

impl Maps {
    /// Counters of one interface and direction, summed over the CPUs: `index` is
    /// `InterfaceDescription::counters`, plus 1 for egress.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] if there is no such index, or with the kernel's error.
    pub fn counters(&self, index: u32) -> Result<Counters, KernelError> {
        let (piece, place) = place(index);
        let values = match piece {
            None => self
                .per_cpu::<Counters>(names::COUNTERS)?
                .get(&place, 0)
                .map_err(KernelError::map(names::COUNTERS, "read"))?,
            Some(piece) => match self.piece::<Counters>(names::MORE_COUNTERS, piece)? {
                Some(map) => map
                    .get(&place, 0)
                    .map_err(KernelError::map(names::MORE_COUNTERS, "read"))?,
                None => return Ok(ZERO),
            },
        };
        let mut sum = ZERO;
        for counters in values.iter() {
            for (total, counter) in sum.by_reason.iter_mut().zip(&counters.by_reason) {
                add(total, counter);
            }
        }
        Ok(sum)
    }

    /// Counters of rules, summed over the CPUs, by slot.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn rule_counters(
        &self,
        slots: impl IntoIterator<Item = u32>,
    ) -> Result<BTreeMap<u32, Counter>, KernelError> {
        let mut pieces = BTreeMap::new();
        let mut sums = BTreeMap::new();
        for slot in slots {
            let number = slot / RULE_SLOTS_PER_PIECE;
            let piece = match pieces.entry(number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(self.piece::<Counter>(names::RULE_COUNTERS, number)?)
                }
            };
            let mut sum = Counter::default();
            if let Some(map) = piece {
                let values = map
                    .get(&(slot % RULE_SLOTS_PER_PIECE), 0)
                    .map_err(KernelError::map(names::RULE_COUNTERS, "read"))?;
                for counter in values.iter() {
                    add(&mut sum, counter);
                }
            }
            sums.insert(slot, sum);
        }
        Ok(sums)
    }

    /// The capacities of the counters.
    pub(crate) fn counter_capacities(&self) -> Result<Capacities, KernelError> {
        let more = self.info(names::MORE_COUNTERS)?.max_entries();
        let rules = self.info(names::RULE_COUNTERS)?.max_entries();
        Ok(Capacities {
            counters: COUNTERS_PER_PIECE.saturating_mul(more.saturating_add(1)),
            rule_counters: RULE_SLOTS_PER_PIECE.saturating_mul(rules),
        })
    }

    /// Makes the pieces that a generation counts in, if they are not there.
    pub(crate) fn make_counters(
        &self,
        slots: &Slots,
        btf: Option<BorrowedFd<'_>>,
    ) -> Result<(), KernelError> {
        let pairs = slots.interfaces.unused_from.saturating_add(SPARE_PAIRS);
        let more = pairs
            .saturating_mul(2)
            .div_ceil(COUNTERS_PER_PIECE)
            .saturating_sub(1)
            .min(self.info(names::MORE_COUNTERS)?.max_entries());
        let rules = slots.rules.unused_from.div_ceil(RULE_SLOTS_PER_PIECE);
        let mut wanted = Vec::new();
        for (name, pieces, entries) in [
            (names::MORE_COUNTERS, more, COUNTERS_PER_PIECE),
            (names::RULE_COUNTERS, rules, RULE_SLOTS_PER_PIECE),
        ] {
            for piece in 0..pieces {
                if self.inner(name, piece)?.is_none() {
                    wanted.push((name, piece, entries));
                }
            }
        }
        // The kernel waits for packets after each.
        thread::scope(|scope| {
            let make = |(name, piece, entries): (&'static str, u32, u32)| {
                let map = fill::create(name, entries as usize, btf)?;
                fill::put(&map, self.slots(name)?, piece, name)
            };
            let makers = wanted
                .into_iter()
                .map(|piece| scope.spawn(move || make(piece)));
            let makers: Vec<_> = makers.collect();
            makers.into_iter().try_for_each(join)
        })
    }

    /// A piece of counters, if it was made.
    fn piece<V: Pod>(
        &self,
        name: &'static str,
        piece: u32,
    ) -> Result<Option<PerCpuArray<MapData, V>>, KernelError> {
        let map = self.inner(name, piece)?.map(Map::from_map_data);
        let map = map.transpose().map_err(KernelError::map(name, "use"))?;
        map.map(PerCpuArray::try_from)
            .transpose()
            .map_err(KernelError::map(name, "use"))
    }

    /// Zeroes the counters that get another owner with the next generation. The one in force does
    /// not count with them any more.
    pub(crate) fn reset_reused(&mut self, slots: &Slots) -> Result<(), KernelError> {
        let cpus =
            nr_cpus().map_err(|(_file, error)| KernelError::io(names::COUNTERS, "size")(error))?;
        for slot in &slots.rules.reused {
            let (name, number) = (names::RULE_COUNTERS, slot / RULE_SLOTS_PER_PIECE);
            if let Some(mut map) = self.piece(name, number)? {
                reset(
                    &mut map,
                    name,
                    slot % RULE_SLOTS_PER_PIECE,
                    Counter::default(),
                    cpus,
                )?;
            }
        }
        let pairs = slots.interfaces.reused.iter();
        for index in pairs.flat_map(|pair| [2 * pair, 2 * pair + 1]) {
            let (piece, place) = place(index);
            let name = names::COUNTERS;
            if let Some(piece) = piece {
                let name = names::MORE_COUNTERS;
                if let Some(mut map) = self.piece(name, piece)? {
                    reset(&mut map, name, place, ZERO, cpus)?;
                }
                continue;
            }
            let mut map: PerCpuArray<&mut MapData, Counters> = self
                .map_mut(name)?
                .try_into()
                .map_err(KernelError::map(name, "use"))?;
            reset(&mut map, name, place, ZERO, cpus)?;
        }
        Ok(())
    }
}

/// Sets an entry on all CPUs.
fn reset<T: std::borrow::BorrowMut<MapData>, V: Pod>(
    map: &mut PerCpuArray<T, V>,
    name: &'static str,
    index: u32,
    zero: V,
    cpus: usize,
) -> Result<(), KernelError> {
    let zeros = PerCpuValues::try_from(vec![zero; cpus]).map_err(KernelError::io(name, "reset"))?;
    map.set(index, zeros, 0)
        .map_err(KernelError::map(name, "reset"))
}

fn add(total: &mut Counter, counter: &Counter) {
    total.packets = total.packets.wrapping_add(counter.packets);
    total.bytes = total.bytes.wrapping_add(counter.bytes);
}
