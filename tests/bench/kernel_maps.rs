//! The maps and programs of an instance, by the kernel's own numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result, bail};
use hep_common::ABI_VERSION;
use hep_tests::{daemon::Daemon, program::program};
use serde_json::Value;

/// The kernel's figures of a map; for an outer map, the sums over its inner maps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelMap {
    /// Bytes of memory.
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// Holds tables of generations.
    pub(crate) is_table: bool,
}

/// Arrays with one half per generation in turn.
const HALVES: [&str; 5] = ["QUICK_IFACES", "ROOTS4", "ROOTS6", "DPORTS", "SPORTS"];

/// Outer maps that hold no tables.
const COUNTERS: [&str; 2] = ["MORE_COUNTERS", "RULE_COUNTERS"];

/// All pinned maps of a daemon, by name.
pub(crate) fn of(daemon: &Daemon) -> Result<BTreeMap<String, KernelMap>> {
    let pins = daemon.bpffs().join(format!("v{ABI_VERSION}"));
    let mut maps = BTreeMap::new();
    for entry in fs::read_dir(&pins).with_context(|| format!("read {}", pins.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let path = path.to_str().context("pins have plain names")?;
        let shown = bpftool(&["map", "show", "pinned", path])?;
        let map = if shown["type"] == "array_of_maps" {
            inner(path, !COUNTERS.contains(&&*name))?
        } else {
            KernelMap {
                bytes: number(&shown, "bytes_memlock")?,
                entries: number(&shown, "max_entries")?,
                is_table: HALVES.contains(&&*name),
            }
        };
        maps.insert(name, map);
    }
    Ok(maps)
}

/// The maps in an outer map; several slots may hold the same one.
fn inner_ids(path: &str) -> Result<BTreeSet<u64>> {
    let slots = bpftool(&["map", "dump", "pinned", path])?;
    let slots = slots.as_array().into_iter().flatten();
    // An empty slot has an error in place of bytes.
    let filled = slots.filter(|slot| slot["value"].is_array());
    filled
        .map(|slot| little_endian(&slot["value"]).context("a slot holds the number of a map"))
        .collect()
}

/// The sum of the maps in an outer map.
fn inner(path: &str, is_table: bool) -> Result<KernelMap> {
    let mut sum = KernelMap {
        is_table,
        ..KernelMap::default()
    };
    for id in inner_ids(path)? {
        let shown = bpftool(&["map", "show", "id", &id.to_string()])?;
        sum.bytes += number(&shown, "bytes_memlock")?;
        sum.entries += number(&shown, "max_entries")?;
    }
    Ok(sum)
}

/// Bytes of kernel memory of an instance: its programs, every map that they use or that is pinned, and
/// the maps inside of those.
pub(crate) fn all_bytes(daemon: &Daemon) -> Result<u64> {
    let pins = daemon.bpffs().join(format!("v{ABI_VERSION}"));
    let mut maps = BTreeSet::new();
    for entry in fs::read_dir(&pins).with_context(|| format!("read {}", pins.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        let path = path.to_str().context("pins have plain names")?;
        let shown = bpftool(&["map", "show", "pinned", path])?;
        maps.insert(number(&shown, "id")?);
        if shown["type"] == "array_of_maps" {
            maps.extend(inner_ids(path)?);
        }
    }
    let mut bytes = 0;
    let programs = bpftool(&["prog", "show"])?;
    for program in programs.as_array().into_iter().flatten() {
        let used = program["map_ids"].as_array().into_iter().flatten();
        let used: BTreeSet<u64> = used.filter_map(Value::as_u64).collect();
        if !used.is_disjoint(&maps) {
            bytes += number(program, "bytes_memlock")? + number(program, "bytes_jited")?;
            maps.extend(used);
        }
    }
    for id in maps {
        let shown = bpftool(&["map", "show", "id", &id.to_string()])?;
        bytes += number(&shown, "bytes_memlock")?;
    }
    Ok(bytes)
}

/// Asks `bpftool`.
fn bpftool(arguments: &[&str]) -> Result<Value> {
    let output = program("bpftool")
        .arg("--json")
        .args(arguments)
        .output()
        .context("run bpftool")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("bpftool {}: {text}", arguments.join(" "));
    }
    serde_json::from_str(&text).with_context(|| format!("bpftool {}", arguments.join(" ")))
}

fn number(value: &Value, field: &str) -> Result<u64> {
    // Older versions of bpftool print some numbers as text.
    let field_value = &value[field];
    field_value
        .as_u64()
        .or_else(|| field_value.as_str()?.parse().ok())
        .with_context(|| format!("bpftool tells no {field}"))
}

/// `["0x49", "0x95", "0x11", "0x00"]` as a number.
fn little_endian(value: &Value) -> Option<u64> {
    value.as_array()?.iter().rev().try_fold(0, |number, byte| {
        let byte = u64::from_str_radix(byte.as_str()?.strip_prefix("0x")?, 16).ok()?;
        Some(number << 8 | byte)
    })
}
