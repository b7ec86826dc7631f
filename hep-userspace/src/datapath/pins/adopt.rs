//! Adoption of maps that an earlier process pinned.
//!
//! A map of the requested size is used as it is. One of another size is put aside, a new one replaces it, and
//! what is worth keeping is copied. One of another layout is refused: a change of layout comes with another
//! `ABI_VERSION`, and so with another directory, whose flows are copied as well.

use std::{collections::HashSet, io};

use aya::{
    Pod,
    maps::{MapData, MapInfo},
};
use aya_obj::generated::bpf_map_type;
use hep_common::{
    conntrack::{Conn, ConnKey4, ConnKey6},
    fragment::{FragmentKey, FragmentVerdict},
    protocol,
    tick::Tick,
};

use super::{
    directory::Pins,
    displaced::Displaced,
    layout::{self, FirstConn, Layout, SecondConn},
};
use crate::datapath::{
    FlowRoom, KernelError, LoadOptions, Maps, SeedFlow,
    apply::counters,
    flows::{
        connection::Either,
        homes::{Homes, Key},
    },
    object::{embedded, names},
    sys::bpf::{Cursor, Hash},
};

/// Entries copied at a time.
const SLICE: u32 = 4096;

/// Maps that outlive the process; the others are for logs and tests.
pub(crate) fn is_pinned(map: &str) -> bool {
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
            names::MORE_COUNTERS,
            names::LOG_BUDGETS,
            names::EVENTS,
        ])
        .find(|name| *name == map)
}

/// How many entries a map gets.
pub(crate) fn capacity(map: &str, definition: &aya_obj::Map, options: &LoadOptions) -> u32 {
    let declared = definition.max_entries();
    match map {
        names::ASSURED_TCP4 | names::ASSURED_TCP6 => options.flows.tcp.max(1),
        names::ASSURED4 | names::ASSURED6 => options.flows.others.max(1),
        names::UNASSURED => options.flows.unassured.max(1),
        names::GRACE => options.interfaces.max(1),
        names::MORE_COUNTERS => counters::pieces_behind(options.interfaces),
        _ => declared,
    }
}

/// Checks every pinned map against its definition; those of another size are put aside.
pub(crate) fn put_misfits_aside(
    pins: &Pins,
    options: &LoadOptions,
) -> Result<Vec<Displaced>, KernelError> {
    let mut displaced = Vec::new();
    for (name, definition) in embedded::definitions()? {
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
pub(crate) fn restore(pins: &Pins, displaced: &[Displaced]) -> Result<(), KernelError> {
    displaced
        .iter()
        .try_for_each(|displaced| pins.restore_aside(displaced.name))
}

/// Unpins misfits once their successors are in place.
pub(crate) fn discard(pins: &Pins, displaced: &[Displaced]) -> Result<(), KernelError> {
    displaced
        .iter()
        .try_for_each(|displaced| pins.discard_aside(displaced.name))
}

/// The options with room for the existing flows: a table that is taken over never becomes smaller than its
/// content (spec EV-263).
pub(crate) fn with_room(
    options: &LoadOptions,
    pins: &Pins,
    formers: &[Displaced],
) -> Result<LoadOptions, KernelError> {
    let mut least = FlowRoom {
        tcp: 0,
        others: 0,
        unassured: 0,
    };
    for name in names::FLOWS {
        let path = pins.path(name);
        if let Ok(map) = MapData::from_pin(&path) {
            let wanted = match name {
                names::ASSURED_TCP4 | names::ASSURED_TCP6 => options.flows.tcp,
                names::UNASSURED => options.flows.unassured,
                _ => options.flows.others,
            };
            let has = map.info().map_err(KernelError::map(name, "inspect"))?;
            if has.max_entries() > wanted {
                least = least.at_least(room_for(name, None, entries(name, &map)?));
            }
        }
    }
    let mut unassured = 0_u32;
    for Displaced { name, map, former } in formers {
        let room = room_for(name, *former, entries(name, map)?);
        unassured = unassured.saturating_add(room.unassured);
        least = least.at_least(FlowRoom {
            unassured: 0,
            ..room
        });
    }
    least.unassured = least.unassured.max(rounded(unassured));
    Ok(LoadOptions {
        flows: options.flows.at_least(least),
        ..options.clone()
    })
}

/// Room for `entries` flows of a table, in every table that may receive them.
fn room_for(name: &str, former: Option<Layout>, entries: u32) -> FlowRoom {
    let everywhere = matches!(former, Some(Layout::First | Layout::Second));
    let in_table = |is_there: bool| {
        if is_there || everywhere && name != names::FRAGMENTS {
            rounded(entries)
        } else {
            0
        }
    };
    FlowRoom {
        tcp: in_table([names::ASSURED_TCP4, names::ASSURED_TCP6].contains(&name)),
        others: in_table([names::ASSURED4, names::ASSURED6].contains(&name)),
        unassured: if name == names::UNASSURED || everywhere && name != names::FRAGMENTS {
            entries
        } else {
            0
        },
    }
}

/// The next power of two; 0 for nothing.
const fn rounded(entries: u32) -> u32 {
    match (entries, entries.checked_next_power_of_two()) {
        (0, _) => 0,
        (_, Some(rounded)) => rounded,
        (_, None) => u32::MAX,
    }
}

/// Number of flows in a table of any layout.
fn entries(name: &'static str, map: &MapData) -> Result<u32, KernelError> {
    let info = map.info().map_err(KernelError::map(name, "inspect"))?;
    let is_of = |key, value| [info.key_size() as usize, info.value_size() as usize] == [key, value];
    let (narrow, wide) = (size_of::<ConnKey4>(), size_of::<ConnKey6>());
    let count = if is_of(narrow, size_of::<Conn>()) {
        Hash::<ConnKey4, Conn>::of(map).and_then(|table| table.count(SLICE))
    } else if is_of(wide, size_of::<Conn>()) {
        Hash::<ConnKey6, Conn>::of(map).and_then(|table| table.count(SLICE))
    } else if is_of(narrow, size_of::<FirstConn>()) {
        Hash::<ConnKey4, FirstConn>::of(map).and_then(|table| table.count(SLICE))
    } else if is_of(wide, size_of::<FirstConn>()) {
        Hash::<ConnKey6, FirstConn>::of(map).and_then(|table| table.count(SLICE))
    } else {
        Ok(0)
    };
    let count = count.map_err(KernelError::io(name, "count the flows of"))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Copies flows and verdicts of fragments from replaced maps to their successors. Flows of versions that did
/// not record which ones are assured become so if the host has their connection open.
pub(crate) fn carry_over(
    maps: &Maps,
    displaced: &[Displaced],
    connections: fn() -> Vec<SeedFlow>,
) -> Result<(), KernelError> {
    if displaced.is_empty() {
        return Ok(());
    }
    let homes = Homes::of(maps)?;
    let is_earlier =
        |table: &Displaced| matches!(table.former, Some(Layout::First | Layout::Second));
    let known: HashSet<Either> = if displaced.iter().any(is_earlier) {
        let assured = connections().into_iter().filter(|flow| flow.assured);
        assured.filter_map(|flow| Some(flow.key()?.0)).collect()
    } else {
        HashSet::new()
    };
    for Displaced { name, map, former } in displaced {
        match *name {
            names::ASSURED_TCP4 | names::ASSURED4 => {
                copy_flows(&homes, name, map, *former, |_key: &ConnKey4| true)?;
            }
            names::ASSURED_TCP6 | names::ASSURED6 => {
                copy_flows(&homes, name, map, *former, |_key: &ConnKey6| true)?;
            }
            layout::CONNS4 => {
                let is_known = |key: &ConnKey4| known.contains(&Either::V4(*key));
                copy_flows(&homes, name, map, *former, is_known)?;
            }
            layout::CONNS6 => {
                let is_known = |key: &ConnKey6| known.contains(&Either::V6(*key));
                copy_flows(&homes, name, map, *former, is_known)?;
            }
            layout::HALF4 => copy_flows(&homes, name, map, *former, |_key: &ConnKey4| false)?,
            names::UNASSURED | layout::HALF6 => {
                copy_flows(&homes, name, map, *former, |_key: &ConnKey6| false)?;
            }
            names::FRAGMENTS => {
                let to = maps.hash::<FragmentKey, FragmentVerdict>(name)?;
                copy(name, map, |key, verdict| to.insert_missing(&key, &verdict))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Copies flows; those of another version are converted.
fn copy_flows<K: Key>(
    homes: &Homes<'_>,
    name: &'static str,
    from: &MapData,
    former: Option<Layout>,
    is_assured: impl Fn(&K) -> bool,
) -> Result<(), KernelError> {
    let settle = |key: K, flow: Conn| {
        let assured = is_assured(&key);
        let flow = Conn {
            event: if assured && flow.protocol != protocol::TCP {
                Tick::NONE
            } else {
                flow.event
            },
            ..flow
        };
        homes.settle(&key, &flow, assured)
    };
    match former {
        None => copy(name, from, settle),
        Some(Layout::Current) => copy(name, from, |key: K, flow: Conn| {
            settle(key, layout::unapproved(flow))
        }),
        Some(Layout::Second) => copy(name, from, |key: K, flow: SecondConn| {
            settle(key, layout::unapproved(layout::from_second(flow)))
        }),
        Some(Layout::First) => copy(name, from, |key: K, flow: FirstConn| {
            settle(key, layout::unapproved(layout::from_first(flow)))
        }),
    }
}

/// Passes every entry of a table to `settle`.
fn copy<Key: Pod, Value: Pod>(
    name: &'static str,
    from: &MapData,
    settle: impl Fn(Key, Value) -> io::Result<()>,
) -> Result<(), KernelError> {
    let from = Hash::<Key, Value>::of(from).map_err(KernelError::io(name, "read the former"))?;
    let mut cursor = Cursor::default();
    loop {
        let batch = from
            .lookup(&mut cursor, SLICE)
            .map_err(KernelError::io(name, "read the former"))?;
        for (key, value) in batch.keys.into_iter().zip(batch.values) {
            settle(key, value).map_err(KernelError::io(name, "copy the flows of"))?;
        }
        if batch.end {
            return Ok(());
        }
    }
}
