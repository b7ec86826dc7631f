//! Address → class, in stages: see [`hep_common::address`].

use hep_common::address::{
    MAX_BISECTION_STEPS, RANGES4_PER_BLOCK, RANGES6_LOW_PER_BLOCK, RANGES6_MID_PER_BLOCK,
    RANGES6_TOP_PER_BLOCK, Run, TARGET_IS_RUN,
};

use super::FAULT;
use crate::maps::{self, Slot};

/// The last of `len` ranges from `first` on that starts at or before what `starts_by` compares with;
/// the first one if none does.
#[inline(always)]
fn bisect(first: u32, len: u32, starts_by: impl Fn(u32) -> Option<bool>) -> Option<u32> {
    let mut low = first;
    let mut count = len;
    for _ in 0..MAX_BISECTION_STEPS {
        if count <= 1 {
            return Some(low);
        }
        let half = count >> 1;
        let middle = low.wrapping_add(half);
        if starts_by(middle)? {
            low = middle;
            count = count.wrapping_sub(half);
        } else {
            count = half;
        }
    }
    None
}

/// Where a value is in blocks of `per_block`, a power of two: the block, and the place in it.
#[inline(always)]
const fn place(index: u32, per_block: u32) -> (u32, usize) {
    (
        index >> per_block.trailing_zeros(),
        (index & per_block.wrapping_sub(1)) as usize,
    )
}

/// The class of an IPv4 address (host byte order), or [`FAULT`].
#[inline(always)]
pub(crate) fn class4(slot: Slot, address: u32) -> u32 {
    hep_class4(slot.number(), address)
}

/// As [`class4`]; global, so that the kernel verifies it once.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_class4(slot: u32, address: u32) -> u32 {
    look_up4(Slot::of(slot), address).unwrap_or(FAULT)
}

/// As [`class4`].
#[inline(always)]
fn look_up4(slot: Slot, address: u32) -> Option<u32> {
    let Run { first, len } = *maps::roots4(slot)?.get(address >> 16)?;
    if len == 0 {
        return Some(first);
    }
    let ranges = maps::ranges4(slot)?;
    let range_at = |index: u32| {
        let (block, position) = place(index, RANGES4_PER_BLOCK);
        ranges.get(block)?.ranges.get(position)
    };
    let low = address & 0xffff;
    let found = bisect(first, len, |index| {
        Some(u32::from(range_at(index)?.start) <= low)
    })?;
    Some(u32::from(range_at(found)?.class))
}

/// The class of an IPv6 address, or [`FAULT`].
#[inline(always)]
pub(crate) fn class6(slot: Slot, address: &[u8; 16]) -> u32 {
    let [high, low] = halves(*address);
    hep_class6(slot.number(), high, low)
}

/// As [`class6`]; global, so that the kernel verifies it once.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_class6(slot: u32, high: u64, low: u64) -> u32 {
    look_up6(Slot::of(slot), high, low).unwrap_or(FAULT)
}

/// Bits 0–63 and 64–127 of an address.
#[inline(always)]
const fn halves(address: [u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = address;
    [
        u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        u64::from_be_bytes(rest),
    ]
}

/// As [`class6`].
#[inline(always)]
fn look_up6(slot: Slot, high: u64, low: u64) -> Option<u32> {
    let Run { first, len } = *maps::roots6(slot)?.get((high >> 48) as u32)?;
    let mut target = first;
    if len != 0 {
        let ranges = maps::ranges6_top(slot)?;
        let range_at = |index: u32| {
            let (block, position) = place(index, RANGES6_TOP_PER_BLOCK);
            ranges.get(block)?.ranges.get(position)
        };
        let bits = (high >> 32) as u32 & 0xffff;
        let found = bisect(first, len, |index| Some(range_at(index)?.start <= bits))?;
        target = range_at(found)?.target;
    }
    if target & TARGET_IS_RUN == 0 {
        return Some(target);
    }
    let ranges = maps::ranges6_mid(slot)?;
    let range_at = |index: u32| {
        let (block, position) = place(index, RANGES6_MID_PER_BLOCK);
        ranges.get(block)?.ranges.get(position)
    };
    let header = target & !TARGET_IS_RUN;
    let len = range_at(header)?.start;
    let bits = (high & 0xffff_ffff) as u32;
    let found = bisect(header.wrapping_add(1), len, |index| {
        Some(range_at(index)?.start <= bits)
    })?;
    let target = range_at(found)?.target;
    if target & TARGET_IS_RUN == 0 {
        return Some(target);
    }
    let ranges = maps::ranges6_low(slot)?;
    let range_at = |index: u32| {
        let (block, position) = place(index, RANGES6_LOW_PER_BLOCK);
        ranges.get(block)?.ranges.get(position)
    };
    let header = target & !TARGET_IS_RUN;
    let len = u32::try_from(range_at(header)?.start).ok()?;
    let bits = low;
    let found = bisect(header.wrapping_add(1), len, |index| {
        Some(range_at(index)?.start <= bits)
    })?;
    Some(range_at(found)?.target)
}
