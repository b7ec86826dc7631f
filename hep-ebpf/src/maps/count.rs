//! Counters, each on its own CPU.
//!
//! Memory for each CPU adds up, so there are as many counters as policies need: userspace creates them in
//! pieces, and what has no piece is not counted.

use aya_ebpf::{
    btf_maps::{ArrayOfMaps, PerCpuArray},
    macros::btf_map,
};
use hep_common::counter::{
    COUNTERS_LEN, COUNTERS_PER_PIECE, Counter, Counters, MAX_RULE_SLOTS, Note,
    RULE_SLOTS_PER_PIECE, Reason,
};

use crate::helpers::opaque;

/// Pieces of [`MORE_COUNTERS`]; the loader sets the number that is configured.
const MORE_TEMPLATE: usize = 1;

/// Counters of the first interfaces, by twice the interface's number plus the direction.
#[btf_map]
static COUNTERS: PerCpuArray<Counters, { COUNTERS_PER_PIECE as usize }> = PerCpuArray::new();

/// Counters of the other interfaces, in pieces.
#[btf_map]
static MORE_COUNTERS: ArrayOfMaps<
    PerCpuArray<Counters, { COUNTERS_PER_PIECE as usize }>,
    MORE_TEMPLATE,
> = ArrayOfMaps::new();

#[btf_map]
static RULE_COUNTERS: ArrayOfMaps<
    PerCpuArray<Counter, { RULE_SLOTS_PER_PIECE as usize }>,
    { (MAX_RULE_SLOTS / RULE_SLOTS_PER_PIECE) as usize },
> = ArrayOfMaps::new();

/// Adds a packet of `bytes` to `counter`.
#[inline(always)]
fn add(counter: &mut Counter, bytes: u64) {
    counter.packets = counter.packets.wrapping_add(1);
    counter.bytes = counter.bytes.wrapping_add(bytes);
}

/// Adds a packet of `bytes` to one of the counters of an interface and direction.
#[inline(always)]
fn add_at(counters: u32, position: usize, bytes: u64) {
    if counters >= COUNTERS_PER_PIECE {
        return add_behind(counters, position, bytes);
    }
    if let Some(counters) = COUNTERS.get_ptr_mut(counters) {
        add_in(counters, position, bytes);
    }
}

/// Adds a packet of `bytes` to one of the counters of an interface beyond [`COUNTERS`].
#[inline(never)]
fn add_behind(counters: u32, position: usize, bytes: u64) {
    let piece = (counters / COUNTERS_PER_PIECE).wrapping_sub(1);
    let place = counters % COUNTERS_PER_PIECE;
    if let Some(counters) = MORE_COUNTERS.get_value_ptr_mut(piece, &place) {
        add_in(counters, position, bytes);
    }
}

/// Adds a packet of `bytes` to one of these counters.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
fn add_in(counters: *mut Counters, position: usize, bytes: u64) {
    // SAFETY: the kernel returned `counters` for an index in range, so it is aligned and live. It is
    // this CPU's copy, and TC runs with softirqs off, so nobody writes it meanwhile.
    let counters = unsafe { &mut *counters };
    let position = opaque(position) & COUNTERS_LEN.wrapping_sub(1);
    if let Some(counter) = counters.by_reason.get_mut(position) {
        add(counter, bytes);
    }
}

/// Counts a verdict of an interface and direction.
#[inline(always)]
pub(crate) fn count(counters: u32, reason: Reason, bytes: u64) {
    add_at(counters, reason as usize, bytes);
}

/// Counts an occasion that is no verdict.
#[inline(always)]
pub(crate) fn note(counters: u32, note: Note, bytes: u64) {
    add_at(counters, (note as usize).wrapping_add(Reason::COUNT), bytes);
}

/// Counts a packet that matched the rule with this slot.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn count_rule(slot: u32, bytes: u64) {
    let place = slot % RULE_SLOTS_PER_PIECE;
    let counter = RULE_COUNTERS.get_value_ptr_mut(slot / RULE_SLOTS_PER_PIECE, &place);
    if let Some(counter) = counter {
        // SAFETY: as in `add_in`.
        add(unsafe { &mut *counter }, bytes);
    }
}
