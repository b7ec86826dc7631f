//! Inner maps of exact size: made anew, or shared with the generation in force where nothing changed.

use std::{
    borrow::Cow,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::maps::MapData;
use hep_common::named_port::{NamedPortClass, NamedPortKey};

use super::{
    KernelError, object,
    sys::{Cursor, Hash},
    sys_mmap::Mapping,
    tables::{Content, Table},
};

/// Entries of a hash read at a time.
const SLICE: u32 = 4096;

/// An inner map that holds a table.
pub(super) struct Filled {
    pub(super) map: MapData,
    /// The generation in force uses it too.
    pub(super) shared: bool,
}

/// Returns `current`, the map of the generation in force, if it holds just that table; else a new
/// map.
pub(super) fn fill(
    table: &Table<'_>,
    current: Option<MapData>,
    btf: Option<BorrowedFd<'_>>,
) -> Result<Filled, KernelError> {
    if let Some(map) = current
        && holds(&map, table)?
    {
        return Ok(Filled { map, shared: true });
    }
    let map = create(table, btf)?;
    let fail = KernelError::io(table.map, "fill");
    match &table.content {
        Content::Array { values, .. } => Mapping::writable(&map).map_err(fail)?.fill(values),
        Content::NamedPorts(entries) => {
            let (keys, classes): (Vec<NamedPortKey>, Vec<NamedPortClass>) =
                entries.iter().copied().unzip();
            Hash::of(&map)
                .and_then(|hash| hash.update(&keys, &classes))
                .map_err(fail)?;
        }
    }
    Ok(Filled { map, shared: false })
}

/// Creates a map like the template of the table's slots, with as many entries as the table has.
fn create(table: &Table<'_>, btf: Option<BorrowedFd<'_>>) -> Result<MapData, KernelError> {
    let count = table.content.entries();
    let entries = u32::try_from(count).map_err(|_overflow| KernelError::Limit {
        what: table.map,
        count,
        limit: u32::MAX as usize,
    })?;
    let mut definition = object::inner(table.map)?;
    definition.set_max_entries(entries);
    let name = format!("{}.in", table.map);
    MapData::create(definition, &name, btf).map_err(KernelError::map(table.map, "create"))
}

/// Whether a map holds just this table.
fn holds(map: &MapData, table: &Table<'_>) -> Result<bool, KernelError> {
    let info = map.info().map_err(KernelError::map(table.map, "inspect"))?;
    if info.max_entries() as usize != table.content.entries() {
        return Ok(false);
    }
    let fail = KernelError::io(table.map, "compare");
    match &table.content {
        Content::Array {
            values,
            value_bytes,
        } => {
            if info.value_size() as usize != *value_bytes {
                return Ok(false);
            }
            Ok(Mapping::read_only(map).map_err(fail)?.holds(values))
        }
        Content::NamedPorts(entries) => {
            let mut wanted = Cow::Borrowed(*entries);
            if !wanted.is_sorted() {
                wanted.to_mut().sort_unstable();
            }
            let found = Hash::of(map).and_then(|hash| sorted_entries(&hash));
            Ok(found.map_err(fail)? == *wanted)
        }
    }
}

fn sorted_entries(
    hash: &Hash<'_, NamedPortKey, NamedPortClass>,
) -> std::io::Result<Vec<(NamedPortKey, NamedPortClass)>> {
    let mut entries = Vec::new();
    let mut cursor = Cursor::default();
    loop {
        let batch = hash.lookup(&mut cursor, SLICE)?;
        entries.extend(batch.keys.into_iter().zip(batch.values));
        if batch.end {
            entries.sort_unstable();
            return Ok(entries);
        }
    }
}

/// The number by which the kernel knows a map.
pub(super) fn id(map: &MapData, name: &'static str) -> Result<u32, KernelError> {
    Ok(map.info().map_err(KernelError::map(name, "inspect"))?.id())
}

impl Filled {
    /// Puts the map into a slot of its outer map.
    pub(super) fn put(
        &self,
        slots: super::sys::Slots<'_>,
        slot: u32,
        name: &'static str,
    ) -> Result<(), KernelError> {
        slots
            .set(slot, self.map.fd().as_fd())
            .map_err(KernelError::io(name, "fill a slot of"))
    }
}
