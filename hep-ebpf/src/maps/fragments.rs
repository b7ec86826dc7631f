//! Verdicts of the first fragments of packets.

use aya_ebpf::{bindings::BPF_ANY, btf_maps::LruHashMap, macros::btf_map};
use hep_common::fragment::{FragmentKey, FragmentVerdict, MAX_FRAGMENTED};

use crate::helpers::Aligned;

#[btf_map]
static FRAGMENTS: LruHashMap<FragmentKey, FragmentVerdict, { MAX_FRAGMENTED as usize }> =
    LruHashMap::new();

/// The verdict of the first fragment of a packet.
#[inline(always)]
#[expect(unsafe_code, reason = "map values are reached through raw pointers")]
pub(crate) fn fragment(key: FragmentKey) -> Option<FragmentVerdict> {
    let key = Aligned(key);
    // SAFETY: copied out at once; every bit pattern is a value.
    unsafe { FRAGMENTS.get(key.0) }.copied()
}

/// Stores the verdict of the first fragment of a packet; returns whether that succeeded.
#[inline(always)]
pub(crate) fn remember_fragment(key: FragmentKey, verdict: &FragmentVerdict) -> bool {
    let key = Aligned(key);
    FRAGMENTS.insert(key.0, verdict, u64::from(BPF_ANY)).is_ok()
}
