//! Reads the description of the generation in force.

use crate::{
    compile::Description,
    datapath::{KernelError, Maps, apply::text, object::names, sys::mmap::View},
};

impl Maps {
    /// Description of the generation in force.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoGeneration`] if no policy was ever loaded; [`KernelError::Description`] or
    /// [`KernelError::DescriptionDamaged`] if the text is not ours.
    pub fn description(&self) -> Result<Description, KernelError> {
        const MAP: &str = names::DESCRIPTION;
        loop {
            let before = self.control()?.generation;
            if before == 0 {
                return Err(KernelError::NoGeneration);
            }
            let description = self.inner(MAP, before & 1)?.map(|pages| {
                let view = View::whole(&pages).map_err(KernelError::io(MAP, "read"))?;
                // A copy, since the next load may change the slot while it is read.
                let pages = view.to_bytes();
                let text = text::text_in(&pages).ok_or(KernelError::DescriptionDamaged)?;
                Ok(serde_json::from_slice(text)?)
            });
            // Later loads change the slot that was in force.
            if self.control()?.generation == before {
                return description.unwrap_or(Err(KernelError::DescriptionDamaged));
            }
        }
    }
}
