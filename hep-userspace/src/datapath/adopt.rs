//! What becomes of maps that an earlier process pinned.
//!
//! A map of the size that is asked for is used as it is. One of another size is put aside, a new
//! one takes its place, and what is worth keeping is copied. One of another layout is refused: a
//! change of layout comes with another `ABI_VERSION`, and so with another directory, whose flows are
//! copied as well.

use aya::{
    Pod,
    maps::{MapData, MapInfo},
};
use aya_obj::generated::bpf_map_type;
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    fragment::{FragmentKey, FragmentVerdict},
};

use super::{
    KernelError, LoadOptions, Maps,
    former::{self, FirstConn, Layout},
    names, object,
    pins::Pins,
    sys::{Cursor, Hash},
};

/// Entries copied at a time.
const SLICE: u32 = 4096;

/// A map that a new one has replaced.
#[derive(Debug)]
pub(super) struct Displaced {
    name: &'static str,
    map: MapData,
    /// How flows in it are laid out, if they are another version's.
    former: Option<Layout>,
}

impl Displaced {
    /// A map of another version.
    pub(super) const fn of_another_version(
        name: &'static str,
        map: MapData,
        layout: Layout,
    ) -> Self {
        Self {
            name,
            map,
            former: Some(layout),
        }
    }
}

/// Maps that outlive the process; the others are for logs and tests.
pub(super) fn is_pinned(map: &str) -> bool {
    ![names::DECISION, names::AYA_LOGS].contains(&map)
}

/// Maps whose size may change.
fn resizable(map: &str) -> Option<&'static str> {
    names::FLOWS
        .into_iter()
        .chain([
            names::FRAGMENTS,
            names::LOCAL,
            names::GRACE,
            names::COUNTERS,
            names::RULE_COUNTERS,
            names::LOG_BUDGETS,
            names::EVENTS,
        ])
        .find(|name| *name == map)
}

/// How many entries a map gets.
pub(super) fn capacity(map: &str, definition: &aya_obj::Map, options: &LoadOptions) -> u32 {
    let declared = definition.max_entries();
    match map {
        names::CONNS4 | names::CONNS6 => options.flows.max(1),
        names::HALF4 | names::HALF6 => options.flows.clamp(1, declared),
        names::GRACE => options.interfaces.max(1),
        names::COUNTERS => options.interfaces.max(1).saturating_mul(2),
        _ => declared,
    }
}

/// Checks every pinned map against its definition; those of another size make place.
pub(super) fn put_misfits_aside(
    pins: &Pins,
    options: &LoadOptions,
) -> Result<Vec<Displaced>, KernelError> {
    let mut displaced = Vec::new();
    for (name, definition) in object::definitions()? {
        if !is_pinned(name) {
            continue;
        }
        let path = pins.path(name);
        if !path.exists() {
            // A process may have died between putting a map aside and pinning the next.
            pins.restore_aside(name)?;
        } else {
            pins.discard_aside(name)?;
        }
        if !path.exists() {
            continue;
        }
        let incompatible = |what| KernelError::Incompatible {
            map: name.clone(),
            what,
        };
        let map = MapData::from_pin(&path).map_err(|_error| incompatible("kind"))?;
        let info = map.info().map_err(|_error| incompatible("kind"))?;
        check_layout(&info, definition).map_err(incompatible)?;
        if info.max_entries() == capacity(name, definition, options) {
            continue;
        }
        let name = resizable(name).ok_or_else(|| incompatible("size"))?;
        pins.put_aside(name)?;
        displaced.push(Displaced {
            name,
            map,
            former: None,
        });
    }
    Ok(displaced)
}

fn check_layout(info: &MapInfo, definition: &aya_obj::Map) -> Result<(), &'static str> {
    let found = info.map_type().ok().map(|kind| kind as u32);
    if found != Some(definition.map_type()) {
        return Err("type");
    }
    if definition.map_type() == bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32 {
        return Ok(());
    }
    if info.key_size() != definition.key_size() {
        return Err("key size");
    }
    if info.value_size() != definition.value_size() {
        return Err("value size");
    }
    if info.map_flags() != definition.map_flags() {
        return Err("set of flags");
    }
    Ok(())
}

/// Puts misfits back after the load failed.
pub(super) fn restore(pins: &Pins, displaced: &[Displaced]) -> Result<(), KernelError> {
    displaced
        .iter()
        .try_for_each(|displaced| pins.restore_aside(displaced.name))
}

/// Unpins misfits once their successors are in place.
pub(super) fn discard(pins: &Pins, displaced: &[Displaced]) -> Result<(), KernelError> {
    displaced
        .iter()
        .try_for_each(|displaced| pins.discard_aside(displaced.name))
}

/// Copies flows and verdicts of fragments from replaced maps to their successors. Where the new map
/// is smaller, the least recently used go.
pub(super) fn carry_over(maps: &Maps, displaced: &[Displaced]) -> Result<(), KernelError> {
    for Displaced { name, map, former } in displaced {
        match *name {
            names::CONNS4 | names::HALF4 => copy_flows::<ConnKey4>(maps, name, map, *former)?,
            names::CONNS6 | names::HALF6 => copy_flows::<ConnKey6>(maps, name, map, *former)?,
            names::FRAGMENTS => {
                copy::<FragmentKey, FragmentVerdict, _, _>(maps, name, map, |key, verdict| {
                    (key, verdict)
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Copies flows; those of another version as this one takes them over.
fn copy_flows<Key: Pod>(
    maps: &Maps,
    name: &'static str,
    from: &MapData,
    former: Option<Layout>,
) -> Result<(), KernelError> {
    match former {
        None => copy(maps, name, from, |key: Key, flow: Conn| (key, flow)),
        Some(Layout::Current) => copy(maps, name, from, |key: Key, flow: Conn| {
            (key, former::unapproved(flow))
        }),
        Some(Layout::First) => copy(maps, name, from, |key: Key, flow: FirstConn| {
            (key, former::unapproved(former::from_first(flow)))
        }),
    }
}

/// Copies entries, each as `convert` makes it, unless their keys are there already.
fn copy<FromKey: Pod, FromValue: Pod, Key: Pod, Value: Pod>(
    maps: &Maps,
    name: &'static str,
    from: &MapData,
    convert: impl Fn(FromKey, FromValue) -> (Key, Value),
) -> Result<(), KernelError> {
    let from =
        Hash::<FromKey, FromValue>::of(from).map_err(KernelError::io(name, "read the former"))?;
    let to = maps.hash::<Key, Value>(name)?;
    let mut cursor = Cursor::default();
    loop {
        let batch = from
            .lookup(&mut cursor, SLICE)
            .map_err(KernelError::io(name, "read the former"))?;
        for (key, value) in batch.keys.into_iter().zip(batch.values) {
            let (key, value) = convert(key, value);
            to.insert_missing(&key, &value)
                .map_err(KernelError::io(name, "copy into"))?;
        }
        if batch.end {
            return Ok(());
        }
    }
}
