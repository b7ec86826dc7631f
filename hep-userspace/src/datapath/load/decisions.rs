//! Decisions that the programs record, for tests.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use aya::{
    maps::{MapData, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use hep_common::decision::Decision;

use crate::datapath::{KernelError, object::names};

/// No number of a reason: marks a CPU on which no decision was recorded.
const NO_REASON: u8 = u8::MAX;

/// The map in which programs record decisions; one test at a time reads it.
pub(crate) struct Decisions(Mutex<PerCpuArray<MapData, Decision>>);

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decisions")
    }
}

impl Decisions {
    pub(crate) const fn new(map: PerCpuArray<MapData, Decision>) -> Self {
        Self(Mutex::new(map))
    }

    /// Runs `test` and returns what was recorded meanwhile, on whichever CPU.
    pub(crate) fn around<T>(
        &self,
        test: impl FnOnce() -> Result<T, KernelError>,
    ) -> Result<(T, Option<Decision>), KernelError> {
        const MAP: &str = names::DECISION;
        let none = Decision {
            reason: NO_REASON,
            ..Decision::default()
        };
        let cpus = nr_cpus().map_err(|(_file, error)| KernelError::io(MAP, "size")(error))?;
        let unset =
            PerCpuValues::try_from(vec![none; cpus]).map_err(KernelError::io(MAP, "prepare"))?;
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.set(0, unset, 0)
            .map_err(KernelError::map(MAP, "write"))?;
        let result = test()?;
        let values = map.get(&0, 0).map_err(KernelError::map(MAP, "read"))?;
        let recorded = values.iter().find(|value| value.reason != NO_REASON);
        Ok((result, recorded.copied()))
    }
}
