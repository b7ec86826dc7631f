//! Interfaces that came under policy a moment ago.

use aya_ebpf::{bindings::BPF_F_NO_PREALLOC, btf_maps::HashMap, macros::btf_map};
use hep_common::grace::{Grace, MAX_GRACES};

#[btf_map]
static GRACE: HashMap<u32, Grace, { MAX_GRACES as usize }, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

/// End of an interface's grace period, coarse monotonic clock, nanoseconds; 0 if none is stored.
#[inline(always)]
#[expect(unsafe_code, reason = "hash entries are reached through raw pointers")]
pub(crate) fn grace_until_ns(ifindex: u32) -> u64 {
    // SAFETY: the value is copied out at once, an aligned 64-bit read of a word that userspace stores
    // whole.
    unsafe { GRACE.get(ifindex) }.map_or(0, |grace| grace.until_ns)
}
