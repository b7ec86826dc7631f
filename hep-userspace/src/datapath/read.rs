//! What the maps say about the generation in force.

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
}
