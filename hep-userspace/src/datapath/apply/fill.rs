//! Inner maps: changed where no packet reads, shared with the generation in force where nothing changed, or
//! made anew; and the halves of arrays that have one for each generation.

use std::{
    borrow::Cow,
    io,
    ops::Range,
    os::fd::{AsFd as _, BorrowedFd},
};

use aya::maps::{MapData, MapInfo, MapType};
use hep_common::named_port::{NamedPortClass, NamedPortKey};

use super::tables::{Content, Part, Table};
use crate::datapath::{
    KernelError,
    object::{embedded, names},
    sys::{
        bpf::{Cursor, Hash},
        mmap::{self, Mapping, View},
    },
};

/// Entries of a hash read at a time.
const SLICE: u32 = 4096;

/// A table in its place.
pub(crate) struct Filled {
    /// The inner map that holds it; `None` if a half of an array does.
    pub(crate) map: Option<MapData>,
    /// The generation in force has the same table.
    pub(crate) shared: bool,
    /// The map is in the idle slot already.
    pub(crate) is_there: bool,
    /// Entries that were written.
    pub(crate) written: usize,
}

/// The maps that may receive a table: the one in force, and the one in the idle slot, which no packet reads.
#[derive(Default)]
pub(crate) struct Present {
    pub(crate) in_force: Option<MapData>,
    pub(crate) idle: Option<MapData>,
}

impl Present {
    /// Whether both slots have one map.
    fn is_one(&self, name: &'static str) -> Result<bool, KernelError> {
        match (&self.in_force, &self.idle) {
            (Some(in_force), Some(idle)) => Ok(id(in_force, name)? == id(idle, name)?),
            _ => Ok(false),
        }
    }
}

/// Finds or makes a map that holds the table.
pub(crate) fn fill(
    table: &Table<'_>,
    present: Present,
    btf: Option<BorrowedFd<'_>>,
) -> Result<Filled, KernelError> {
    let is_one = present.is_one(table.map)?;
    if table.in_place
        && let Some(map) = &present.in_force
        && info(map, table.map)?.max_entries() as usize == table.content.entries()
    {
        let written = rewrite(map, whole(map, table)?, table)?;
        return Ok(Filled {
            shared: written == 0,
            is_there: is_one,
            written,
            map: present.in_force,
        });
    }
    let shared = match &present.in_force {
        // A table that is known in the idle slot is of a description, which no two generations share.
        Some(map) if !table.in_idle => holds(map, table)?,
        Some(_) | None => false,
    };
    if !is_one
        && let Some(map) = present.idle
        && fits(&info(&map, table.map)?, table)
    {
        let written = rewrite(&map, whole(&map, table)?, table)?;
        return Ok(Filled {
            map: Some(map),
            shared,
            is_there: true,
            written,
        });
    }
    if shared {
        return Ok(Filled {
            map: present.in_force,
            shared,
            is_there: is_one,
            written: 0,
        });
    }
    let map = create(table.map, table.content.entries(), btf)?;
    write_all(&map, table)?;
    Ok(Filled {
        map: Some(map),
        shared: false,
        is_there: false,
        written: table.content.entries(),
    })
}

/// Whether a map that no packet reads can hold the table.
fn fits(info: &MapInfo, table: &Table<'_>) -> bool {
    let Content::Array { parts, value_bytes } = &table.content else {
        return false;
    };
    let (room, needed) = (info.max_entries() as usize, table.content.entries());
    let is_enough = match **parts {
        [_] => needed <= room && room <= 2 * needed,
        _ => needed == room,
    };
    is_enough && info.value_size() as usize == *value_bytes
}

/// Writes a table into a generation's half of an array, which no packet reads; returns how many entries
/// differed.
pub(crate) fn half(map: &MapData, slot: u32, table: &Table<'_>) -> Result<usize, KernelError> {
    let area = half_of(map, slot, table.map)?;
    if table.content.bytes() > area.len() {
        return Err(KernelError::Contradiction(
            "a table of fixed length is longer than its half",
        ));
    }
    rewrite(map, area, table)
}

/// Copies the half of the generation in force to the other one, which no packet reads, so that the next load
/// writes only what it changes.
pub(crate) fn even_out(
    map: &MapData,
    in_force: u32,
    name: &'static str,
) -> Result<(), KernelError> {
    let [from, to] = [in_force, in_force ^ 1].map(|slot| half_of(map, slot, name));
    let (from, to) = (from?, to?);
    View::part(map, from.start, from.len())
        .and_then(|from| {
            Mapping::part(map, to.start, to.len())?.copy(&from);
            Ok(())
        })
        .map_err(KernelError::io(name, "copy"))
}

/// The bytes of an array's memory that are a generation's half.
fn half_of(map: &MapData, slot: u32, name: &'static str) -> Result<Range<usize>, KernelError> {
    let about = info(map, name)?;
    let entries = about.max_entries() as usize / 2;
    let bytes = entries * mmap::stride(about.value_size() as usize);
    let start = slot as usize * bytes;
    Ok(start..start + bytes)
}

/// All of an array's memory.
fn whole(map: &MapData, table: &Table<'_>) -> Result<Range<usize>, KernelError> {
    let about = info(map, table.map)?;
    let stride = mmap::stride(about.value_size() as usize);
    Ok(0..about.max_entries() as usize * stride)
}

/// Writes the parts of a table that are not known to be there already into an area of an array, where they
/// differ; returns how many entries did.
fn rewrite(map: &MapData, area: Range<usize>, table: &Table<'_>) -> Result<usize, KernelError> {
    // A table in one part may leave room behind it, which is emptied.
    let is_one_part = matches!(&table.content, Content::Array { parts, .. } if parts.len() == 1);
    let is_changed = table.in_place || table.in_idle;
    let mut written = 0;
    each_part(table, |start, bytes, part| {
        if !(is_changed && part.is_known) {
            let bytes = if is_one_part { area.len() } else { bytes };
            let mapping = Mapping::part(map, area.start + start, bytes)?;
            written += mapping.rewrite(&part.values);
        }
        Ok(true)
    })
    .map_err(KernelError::io(table.map, "change"))?;
    Ok(written)
}

/// Calls `visit` with each part of an array, its place in the map's memory, and its length there,
/// while it returns true; returns the last answer.
fn each_part(
    table: &Table<'_>,
    mut visit: impl FnMut(usize, usize, &Part<'_>) -> io::Result<bool>,
) -> io::Result<bool> {
    let Content::Array { parts, value_bytes } = &table.content else {
        return Ok(true);
    };
    let mut start = 0;
    for part in parts {
        let bytes = part.values.len() / value_bytes * mmap::stride(*value_bytes);
        if !visit(start, bytes, part)? {
            return Ok(false);
        }
        start += bytes;
    }
    Ok(true)
}

/// Fills a map that nobody else has seen yet.
fn write_all(map: &MapData, table: &Table<'_>) -> Result<(), KernelError> {
    let filled = match &table.content {
        Content::Array { .. } => each_part(table, |start, bytes, part| {
            Mapping::part(map, start, bytes)?.fill(&part.values);
            Ok(true)
        })
        .map(drop),
        Content::NamedPorts(entries) => {
            let (keys, classes): (Vec<NamedPortKey>, Vec<NamedPortClass>) =
                entries.iter().copied().unzip();
            Hash::of(map).and_then(|hash| hash.update(&keys, &classes))
        }
    };
    filled.map_err(KernelError::io(table.map, "fill"))
}

/// Creates a map like the template of an outer map's slots.
pub(crate) fn create(
    map: &'static str,
    count: usize,
    btf: Option<BorrowedFd<'_>>,
) -> Result<MapData, KernelError> {
    let entries = u32::try_from(count).map_err(|_overflow| KernelError::Limit {
        what: map,
        count,
        limit: u32::MAX as usize,
    })?;
    let mut definition = embedded::inner(map)?;
    definition.set_max_entries(entries);
    let name = format!("{map}.in");
    MapData::create(definition, &name, btf).map_err(KernelError::map(map, "create"))
}

/// Whether a map holds exactly this table.
fn holds(map: &MapData, table: &Table<'_>) -> Result<bool, KernelError> {
    let info = info(map, table.map)?;
    if info.max_entries() as usize != table.content.entries() {
        return Ok(false);
    }
    let fail = KernelError::io(table.map, "compare");
    match &table.content {
        Content::Array { value_bytes, .. } => {
            if info.value_size() as usize != *value_bytes {
                return Ok(false);
            }
            each_part(table, |start, bytes, part| {
                Ok(View::part(map, start, bytes)?.holds(&part.values))
            })
            .map_err(fail)
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
) -> io::Result<Vec<(NamedPortKey, NamedPortClass)>> {
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

/// The kernel's information about a map.
pub(crate) fn info(map: &MapData, name: &'static str) -> Result<MapInfo, KernelError> {
    map.info().map_err(KernelError::map(name, "inspect"))
}

/// The kernel's id of a map.
pub(crate) fn id(map: &MapData, name: &'static str) -> Result<u32, KernelError> {
    Ok(info(map, name)?.id())
}

/// Bytes of an array that may wait in the idle slot for the next load.
const MAX_SPARE_BYTES: usize = 1 << 19;

/// Bytes of a description for which this holds: it changes with every generation.
const MAX_SPARE_DESCRIPTION: usize = 1 << 24;

/// Prepares an outer map's idle slot: a spare copy, which the next load can change without waiting, or, where
/// that would waste memory, the map in force. `None` if the slot is ready as it is.
pub(crate) fn standby(
    name: &'static str,
    present: Present,
    btf: Option<BorrowedFd<'_>>,
) -> Result<Option<MapData>, KernelError> {
    let is_one = present.is_one(name)?;
    let Present {
        in_force: Some(in_force),
        idle,
    } = present
    else {
        return Ok(None);
    };
    let about = info(&in_force, name)?;
    let entries = about.max_entries() as usize;
    let bytes = entries * mmap::stride(about.value_size() as usize);
    let is_array = about.map_type().ok() == Some(MapType::Array);
    let most = if name == names::DESCRIPTION {
        MAX_SPARE_DESCRIPTION
    } else {
        MAX_SPARE_BYTES
    };
    if !is_array || bytes > most || names::IN_PLACE.contains(&name) {
        return Ok((!is_one).then_some(in_force));
    }
    let has_spare = match &idle {
        Some(idle) if !is_one => info(idle, name)?.max_entries() as usize == entries,
        _ => false,
    };
    if has_spare {
        return Ok(None);
    }
    let spare = create(name, entries, btf)?;
    // The next load, too, is to write only what it changes.
    View::whole(&in_force)
        .and_then(|in_force| {
            Mapping::whole(&spare)?.copy(&in_force);
            Ok(())
        })
        .map_err(KernelError::io(name, "copy"))?;
    Ok(Some(spare))
}

/// Puts a map into a slot of its outer map; returns when no packet reads the former one.
pub(crate) fn put(
    map: &MapData,
    slots: crate::datapath::sys::bpf::Slots<'_>,
    slot: u32,
    name: &'static str,
) -> Result<(), KernelError> {
    slots
        .set(slot, map.fd().as_fd())
        .map_err(KernelError::io(name, "fill a slot of"))
}
