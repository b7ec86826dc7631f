//! Counters, each on its own CPU.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use hep_common::counter::{COUNTERS_LEN, Counter, Counters, MAX_RULE_SLOTS, Note, Reason};

use crate::helpers::opaque;

/// Interfaces times two directions; the loader sets the length that was asked for.
const COUNTERS_TEMPLATE: usize = 512;

#[btf_map]
static COUNTERS: PerCpuArray<Counters, COUNTERS_TEMPLATE> = PerCpuArray::new();

#[btf_map]
static RULE_COUNTERS: PerCpuArray<Counter, { MAX_RULE_SLOTS as usize }> = PerCpuArray::new();

/// Adds a packet of `bytes` to `counter`.
#[inline(always)]
fn add(counter: &mut Counter, bytes: u64) {
    counter.packets = counter.packets.wrapping_add(1);
    counter.bytes = counter.bytes.wrapping_add(bytes);
}

/// Adds a packet of `bytes` to one of the counters of an interface and direction.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
fn add_at(counters: u32, position: usize, bytes: u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(counters) {
        // SAFETY: the kernel returned `counters` for an index in range, so it is aligned and live.
        // It is this CPU's copy, and TC runs with softirqs off, so nobody writes it meanwhile.
        let counters = unsafe { &mut *counters };
        let position = opaque(position) & COUNTERS_LEN.wrapping_sub(1);
        if let Some(counter) = counters.by_reason.get_mut(position) {
            add(counter, bytes);
        }
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
    if let Some(counter) = RULE_COUNTERS.get_ptr_mut(slot) {
        // SAFETY: as in `add_at`.
        add(unsafe { &mut *counter }, bytes);
    }
}
