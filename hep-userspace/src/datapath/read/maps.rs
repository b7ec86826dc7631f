//! Handles of the maps, from the loaded object or from the pins alone.

use std::{collections::BTreeMap, path::Path};

use aya::{
    Pod,
    maps::{Array, ArrayOfMaps, HashMap, Map, MapData, MapError, MapInfo, PerCpuArray},
};
use hep_common::settings::{Control, Settings};

use crate::datapath::{
    KernelError,
    object::names,
    pins::directory,
    sys::bpf::{Hash, Slots},
};

/// The maps of one instance.
#[derive(Debug)]
pub struct Maps {
    by_name: BTreeMap<&'static str, Map>,
}

impl Maps {
    pub(crate) const fn new(by_name: BTreeMap<&'static str, Map>) -> Self {
        Self { by_name }
    }

    /// Opens the pinned maps; no daemon need be running.
    ///
    /// # Errors
    ///
    /// [`KernelError::NotPinned`] if nothing is there, [`KernelError::OtherVersion`] if only what
    /// another version left is; else [`KernelError::Map`] for the map that cannot be opened.
    pub fn open(pins: &Path) -> Result<Self, KernelError> {
        let directory = directory::version_directory(pins);
        if !directory.join(names::CONTROL).exists() {
            let others = directory::version_directories(pins)?;
            return Err(match others.into_iter().find(|other| *other != directory) {
                Some(other) => KernelError::OtherVersion(other),
                None => KernelError::NotPinned(pins.to_owned()),
            });
        }
        let mut by_name = BTreeMap::new();
        for name in names::OUTER.into_iter().chain(names::PLAIN) {
            let map = MapData::from_pin(directory.join(name))
                .and_then(Map::from_map_data)
                .map_err(KernelError::map(name, "open"))?;
            by_name.insert(name, map);
        }
        Ok(Self { by_name })
    }

    fn map(&self, name: &'static str) -> Result<&Map, KernelError> {
        self.by_name.get(name).ok_or(KernelError::Missing(name))
    }

    pub(crate) fn map_mut(&mut self, name: &'static str) -> Result<&mut Map, KernelError> {
        self.by_name.get_mut(name).ok_or(KernelError::Missing(name))
    }

    pub(crate) fn data(&self, name: &'static str) -> Result<&MapData, KernelError> {
        data_of(self.map(name)?).ok_or(KernelError::Missing(name))
    }

    pub(crate) fn info(&self, name: &'static str) -> Result<MapInfo, KernelError> {
        self.data(name)?
            .info()
            .map_err(KernelError::map(name, "inspect"))
    }

    /// Another handle of the same map.
    pub(crate) fn reopen(&self, name: &'static str) -> Result<Map, KernelError> {
        let id = self.info(name)?.id();
        MapData::from_id(id)
            .and_then(Map::from_map_data)
            .map_err(KernelError::map(name, "open"))
    }

    pub(crate) fn array<V: Pod>(
        &self,
        name: &'static str,
    ) -> Result<Array<&MapData, V>, KernelError> {
        Array::try_from(self.map(name)?).map_err(KernelError::map(name, "use"))
    }

    pub(crate) fn array_mut<V: Pod>(
        &mut self,
        name: &'static str,
    ) -> Result<Array<&mut MapData, V>, KernelError> {
        Array::try_from(self.map_mut(name)?).map_err(KernelError::map(name, "use"))
    }

    pub(crate) fn per_cpu<V: Pod>(
        &self,
        name: &'static str,
    ) -> Result<PerCpuArray<&MapData, V>, KernelError> {
        PerCpuArray::try_from(self.map(name)?).map_err(KernelError::map(name, "use"))
    }

    pub(crate) fn hash<K: Pod, V: Pod>(
        &self,
        name: &'static str,
    ) -> Result<Hash<'_, K, V>, KernelError> {
        Hash::of(self.data(name)?).map_err(KernelError::io(name, "use"))
    }

    pub(crate) fn hash_mut<K: Pod, V: Pod>(
        &mut self,
        name: &'static str,
    ) -> Result<HashMap<&mut MapData, K, V>, KernelError> {
        HashMap::try_from(self.map_mut(name)?).map_err(KernelError::map(name, "use"))
    }

    pub(crate) fn slots(&self, name: &'static str) -> Result<Slots<'_>, KernelError> {
        Slots::of(self.data(name)?).map_err(KernelError::io(name, "use"))
    }

    /// The map in a slot, if there is one.
    pub(crate) fn inner(
        &self,
        name: &'static str,
        slot: u32,
    ) -> Result<Option<MapData>, KernelError> {
        let outer: ArrayOfMaps<&MapData, MapData> =
            ArrayOfMaps::try_from(self.map(name)?).map_err(KernelError::map(name, "use"))?;
        match outer.get(&slot, 0) {
            Ok(inner) => Ok(Some(inner)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(KernelError::map(name, "read a slot of")(error)),
        }
    }

    /// The control word, with the generation in force; 0 if none was ever loaded.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn control(&self) -> Result<Control, KernelError> {
        self.value(names::CONTROL, 0)
    }

    /// Behaviour of the generation in force.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoGeneration`] if there is none; [`KernelError::Map`] with the kernel's
    /// error.
    pub fn settings(&self) -> Result<Settings, KernelError> {
        let slot = self.slot_in_force()?.ok_or(KernelError::NoGeneration)?;
        self.value(names::SETTINGS, slot)
    }

    fn value<V: Pod>(&self, name: &'static str, index: u32) -> Result<V, KernelError> {
        self.array(name)?
            .get(&index, 0)
            .map_err(KernelError::map(name, "read"))
    }

    /// The slot that the programs read, if a generation was ever loaded.
    pub(crate) fn slot_in_force(&self) -> Result<Option<u32>, KernelError> {
        let generation = self.control()?.generation;
        Ok((generation != 0).then_some(generation & 1))
    }

    /// Names of the outer maps of which a slot is in use.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn filled_slots(&self, slot: u32) -> Result<Vec<&'static str>, KernelError> {
        let mut filled = Vec::new();
        for name in names::OUTER {
            if self.inner(name, slot)?.is_some() {
                filled.push(name);
            }
        }
        Ok(filled)
    }
}

/// The map itself, if it is of a kind that the programs use.
pub(crate) const fn data_of(map: &Map) -> Option<&MapData> {
    if let Map::Array(data)
    | Map::ArrayOfMaps(data)
    | Map::HashMap(data)
    | Map::LruHashMap(data)
    | Map::PerCpuArray(data)
    | Map::PerCpuLruHashMap(data)
    | Map::RingBuf(data) = map
    {
        return Some(data);
    }
    None
}
