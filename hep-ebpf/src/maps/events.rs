//! What the programs report: records, and decisions for tests.

use aya_ebpf::{
    Global,
    btf_maps::{LruPerCpuHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use hep_common::{
    decision::Decision,
    event::{Event, LogBudget, MAX_BUDGETS, RING_BYTES},
};

#[btf_map]
pub(super) static EVENTS: RingBuf<Event, { RING_BYTES as usize }> = RingBuf::new();

#[btf_map]
pub(super) static LOG_BUDGETS: LruPerCpuHashMap<u32, LogBudget, { MAX_BUDGETS as usize }> =
    LruPerCpuHashMap::new();

#[btf_map]
pub(super) static DECISION: PerCpuArray<Decision, 1> = PerCpuArray::new();

/// Whether [`Decision`]s are written; see [`hep_common::decision::RECORD_DECISIONS`].
#[expect(unsafe_code, reason = "the loader finds the global by its name")]
#[unsafe(no_mangle)]
pub(super) static RECORD_DECISIONS: Global<u8> = Global::new(0);
