//! Counters: read as sums over the CPUs, and zeroed before they get another owner.

use std::collections::BTreeMap;

use aya::{
    Pod,
    maps::{PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use hep_common::counter::{COUNTERS_LEN, Counter, Counters};

use super::{KernelError, Maps, names};
use crate::compile::Slots;

/// What a counter starts with.
const ZERO: Counters = Counters {
    by_reason: [Counter {
        packets: 0,
        bytes: 0,
    }; COUNTERS_LEN],
};

impl Maps {
    /// Counters of one interface and direction, summed over the CPUs: `index` is
    /// `InterfaceDescription::counters`, plus 1 for egress.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] if there is no such index, or with what the kernel said.
    pub fn counters(&self, index: u32) -> Result<Counters, KernelError> {
        let values = self
            .per_cpu::<Counters>(names::COUNTERS)?
            .get(&index, 0)
            .map_err(KernelError::map(names::COUNTERS, "read"))?;
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
    /// As [`Self::counters`].
    pub fn rule_counters(
        &self,
        slots: impl IntoIterator<Item = u32>,
    ) -> Result<BTreeMap<u32, Counter>, KernelError> {
        let map = self.per_cpu::<Counter>(names::RULE_COUNTERS)?;
        slots
            .into_iter()
            .map(|slot| {
                let values = map
                    .get(&slot, 0)
                    .map_err(KernelError::map(names::RULE_COUNTERS, "read"))?;
                let mut sum = Counter::default();
                for counter in values.iter() {
                    add(&mut sum, counter);
                }
                Ok((slot, sum))
            })
            .collect()
    }

    /// Zeroes the counters that get another owner with the next generation. The one in force does
    /// not count with them any more.
    pub(super) fn reset_reused(&mut self, slots: &Slots) -> Result<(), KernelError> {
        let rules = slots.rules.reused.iter().copied();
        self.reset(names::RULE_COUNTERS, rules, Counter::default())?;
        let pairs = slots.interfaces.reused.iter();
        let both = pairs.flat_map(|pair| [2 * pair, 2 * pair + 1]);
        self.reset(names::COUNTERS, both, ZERO)
    }

    fn reset<V: Pod>(
        &mut self,
        name: &'static str,
        indices: impl Iterator<Item = u32>,
        zero: V,
    ) -> Result<(), KernelError> {
        let cpus = nr_cpus().map_err(|(_file, error)| KernelError::io(name, "size")(error))?;
        let mut map: PerCpuArray<_, V> =
            PerCpuArray::try_from(self.map_mut(name)?).map_err(KernelError::map(name, "use"))?;
        for index in indices {
            let zeros =
                PerCpuValues::try_from(vec![zero; cpus]).map_err(KernelError::io(name, "reset"))?;
            map.set(index, zeros, 0)
                .map_err(KernelError::map(name, "reset"))?;
        }
        Ok(())
    }
}

fn add(total: &mut Counter, counter: &Counter) {
    total.packets = total.packets.wrapping_add(counter.packets);
    total.bytes = total.bytes.wrapping_add(counter.bytes);
}
