//! What the maps say about the generation in force and its counters.

use std::collections::BTreeMap;

use hep_common::counter::{COUNTERS_LEN, Counter, Counters};

use super::{KernelError, Maps, names, sys_mmap::Mapping, tables};
use crate::compile::Description;

impl Maps {
    /// What the generation in force means, in words.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoGeneration`] if no policy was ever loaded; [`KernelError::Description`] or
    /// [`KernelError::DescriptionDamaged`] if the text is not ours.
    pub fn description(&self) -> Result<Description, KernelError> {
        const MAP: &str = names::DESCRIPTION;
        loop {
            let slot = self.slot_in_force()?.ok_or(KernelError::NoGeneration)?;
            let Some(pages) = self.inner(MAP, slot)? else {
                if self.slot_in_force()? == Some(slot) {
                    return Err(KernelError::DescriptionDamaged);
                }
                // A load has flipped and emptied the slot since we read which one is in force.
                continue;
            };
            let mapping = Mapping::read_only(&pages).map_err(KernelError::io(MAP, "read"))?;
            let text = tables::description_text(mapping.as_bytes())
                .ok_or(KernelError::DescriptionDamaged)?;
            return Ok(serde_json::from_slice(text)?);
        }
    }

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
        let mut sum = Counters {
            by_reason: [Counter::default(); COUNTERS_LEN],
        };
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
}

fn add(total: &mut Counter, counter: &Counter) {
    total.packets = total.packets.wrapping_add(counter.packets);
    total.bytes = total.bytes.wrapping_add(counter.bytes);
}
