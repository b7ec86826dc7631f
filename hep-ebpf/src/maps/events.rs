//! Output of the programs: event records, and decisions for tests.

use aya_ebpf::{
    Global,
    bindings::BPF_ANY,
    btf_maps::{LruPerCpuHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use hep_common::{
    counter::Reason,
    decision::Decision,
    event::{Event, LogBudget, MAX_BUDGETS, RING_BYTES},
};

#[btf_map]
static EVENTS: RingBuf<Event, { RING_BYTES as usize }> = RingBuf::new();

#[btf_map]
static LOG_BUDGETS: LruPerCpuHashMap<u32, LogBudget, { MAX_BUDGETS as usize }> =
    LruPerCpuHashMap::new();

#[btf_map]
static DECISION: PerCpuArray<Decision, 1> = PerCpuArray::new();

/// Whether [`Decision`]s are written; see [`hep_common::decision::RECORD_DECISIONS`].
#[expect(unsafe_code, reason = "the loader finds the global by its name")]
#[unsafe(no_mangle)]
static RECORD_DECISIONS: Global<u8> = Global::new(0);

/// One second, in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;
/// A budget grows no more after this time: longer than any period, and short enough for the product
/// with any rate.
const LONGEST_NS: u64 = SECOND_NS << 17;

/// Whether decisions are recorded: a constant to the verifier, which removes the dead code.
#[inline(always)]
pub(crate) fn records_decisions() -> bool {
    RECORD_DECISIONS.load() != 0
}

/// Writes the last decision of this CPU.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn decide(decision: Decision) {
    if let Some(slot) = DECISION.get_ptr_mut(0) {
        // SAFETY: the kernel returned `slot` for an index in range, so it is aligned and live; it is
        // this CPU's copy, and TC runs with softirqs off.
        unsafe { slot.write(decision) };
    }
}

/// Writes the reason of the last decision of this CPU.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn decide_reason(reason: Reason) {
    if let Some(slot) = DECISION.get_ptr_mut(0) {
        // SAFETY: as in `decide`.
        unsafe { &mut *slot }.reason = reason as u8;
    }
}

/// Puts `event` on the ring; whether there was room.
#[inline(always)]
pub(crate) fn submit(event: Event) -> bool {
    match EVENTS.reserve(0) {
        Some(mut entry) => {
            entry.write(event);
            entry.submit(0);
            true
        }
        None => false,
    }
}

/// Takes a token from the budget of rule `slot`, which grows by `rate` tokens in `period_s` seconds up
/// to `burst`; whether there was one.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn take_token(slot: u32, now_ns: u64, rate: u32, period_s: u32, burst: u32) -> bool {
    if let Some(budget) = LOG_BUDGETS.get_ptr_mut(slot) {
        // SAFETY: as in `decide`.
        let budget = unsafe { &mut *budget };
        let elapsed_ns = now_ns.saturating_sub(budget.refilled_ns).min(LONGEST_NS);
        let period_ns = SECOND_NS.wrapping_mul(u64::from(period_s)).max(SECOND_NS);
        let fresh = elapsed_ns
            .wrapping_mul(u64::from(rate))
            .checked_div(period_ns)
            .unwrap_or(0);
        let mut tokens = u64::from(budget.tokens);
        if fresh > 0 {
            tokens = tokens.wrapping_add(fresh).min(u64::from(burst));
            budget.refilled_ns = now_ns;
        }
        if tokens == 0 {
            return false;
        }
        budget.tokens = (tokens.wrapping_sub(1) & 0xffff_ffff) as u32;
        return true;
    }
    let budget = LogBudget {
        refilled_ns: now_ns,
        tokens: burst.saturating_sub(1),
        reserved: 0,
    };
    // Without an entry the next packet starts with a full budget again.
    let _stored: Result<(), i32> = LOG_BUDGETS.insert(slot, budget, u64::from(BPF_ANY));
    burst > 0
}
