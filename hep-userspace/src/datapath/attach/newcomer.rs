//! Adds an interface to the generation in force, which then polices it without a load.

use aya::{
    maps::MapData,
    programs::{ProgramError, SchedClassifier},
};
use hep_common::{
    endpoint::{Interface, MAX_PROBES, QUICK_INTERFACES, quick_place},
    settings::Settings,
};

use crate::datapath::{
    Kernel, KernelError, Maps,
    object::{names, program::Program},
    sys::{bpf::bytes_of, mmap::Mapping},
};

/// Bytes of an interface's entry.
const ENTRY_BYTES: usize = size_of::<Interface>();

/// The tables in which programs look interfaces up.
#[derive(Debug)]
pub struct InterfaceTables(Maps);

impl Kernel {
    /// Other handles of the tables in which programs look interfaces up.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn interface_tables(&self) -> Result<InterfaceTables, KernelError> {
        let maps = [names::SETTINGS, names::IFACES, names::QUICK_IFACES];
        let maps = maps.map(|name| Ok((name, self.maps().reopen(name)?)));
        let maps = maps.into_iter().collect::<Result<_, KernelError>>()?;
        Ok(InterfaceTables(Maps::new(maps)))
    }

    /// Other handles of the programs: ingress, egress.
    ///
    /// # Errors
    ///
    /// [`KernelError::Program`] with the kernel's error.
    pub fn programs(&mut self) -> Result<[SchedClassifier; 2], KernelError> {
        let mut again = |which: Program| {
            let name = which.name();
            let info = self.program(which).info();
            info.and_then(|info| SchedClassifier::from_program_info(info, name.into()))
                .map_err(|source: ProgramError| KernelError::Program {
                    name,
                    source: Box::new(source),
                })
        };
        Ok([again(Program::Ingress)?, again(Program::Egress)?])
    }
}

impl InterfaceTables {
    /// Adds an interface, which has no program yet, to a generation; returns whether there was a place that
    /// no packet of another interface reads.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] and [`KernelError::Io`] with the kernel's error.
    pub fn name(&self, generation: u32, entry: &Interface) -> Result<bool, KernelError> {
        let slot = generation & 1;
        let quick = self.0.data(names::QUICK_IFACES)?;
        let half = (slot * QUICK_INTERFACES) as usize;
        let place = half + quick_place(entry.ifindex) as usize;
        if put(quick, names::QUICK_IFACES, &[place], entry)? {
            return Ok(true);
        }
        let Some(table) = self.0.inner(names::IFACES, slot)? else {
            return Ok(false);
        };
        let settings: Settings = self
            .0
            .array(names::SETTINGS)?
            .get(&slot, 0)
            .map_err(KernelError::map(names::SETTINGS, "read"))?;
        let places: Vec<usize> = (0..MAX_PROBES)
            .map(|probe| (entry.ifindex.wrapping_add(probe) & settings.interface_mask) as usize)
            .collect();
        put(&table, names::IFACES, &places, entry)
    }
}

/// Writes an entry into the place among these that its interface has already, else into the first free one;
/// returns whether there was one.
fn put(
    map: &MapData,
    name: &'static str,
    places: &[usize],
    entry: &Interface,
) -> Result<bool, KernelError> {
    let mapping = Mapping::whole(map).map_err(KernelError::io(name, "change"))?;
    let place_of = |ifindex: u32| {
        let mut places = places.iter();
        places.find(|place| mapping.half_word(**place * ENTRY_BYTES) == ifindex)
    };
    let Some(place) = place_of(entry.ifindex).or_else(|| place_of(0)) else {
        return Ok(false);
    };
    mapping.replace_value(place * ENTRY_BYTES, bytes_of(std::slice::from_ref(entry)));
    Ok(true)
}
