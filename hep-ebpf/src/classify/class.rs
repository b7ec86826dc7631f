//! Address → class, in stages: see [`hep_common::address`].

use hep_common::address::{
    MAX_BISECTION_STEPS, MAX_FORKS, RANGES4_PER_BLOCK, RANGES6_LOW_PER_BLOCK,
    RANGES6_MID_PER_BLOCK, RANGES6_TOP_PER_BLOCK, Range6Top, Ranges6Top, Run, TARGET_INDEX,
    TARGET_IS_RUN,
};

use super::answer::FAULT;
use crate::{
    address::Address,
    helpers,
    maps::{self, Slot, Table},
};

/// A search in a run of a table's ranges for the last one that starts at or before a value, or the first one
/// if none does.
///
/// Bisection goes from block to block first, and then within a block, where a step is a few
/// instructions.
struct Search {
    first: u32,
    len: u32,
}

impl Search {
    /// The block that holds the range; blocks have `per_block` ranges each, a power of two. `start_at`
    /// returns the first value of a range by its number.
    #[inline(always)]
    fn block(
        &self,
        per_block: u32,
        value: u64,
        start_at: impl Fn(u32) -> Option<u64>,
    ) -> Option<u32> {
        let shift = per_block.trailing_zeros();
        let mut low = self.first >> shift;
        let mut high = self.last() >> shift;
        for _ in 0..MAX_BISECTION_STEPS {
            low = helpers::forgotten(low, self.first);
            high = helpers::forgotten(high, self.first);
            if low >= high {
                return Some(low);
            }
            let middle = low.wrapping_add(high).wrapping_add(1) >> 1;
            if start_at(middle << shift)? <= value {
                low = middle;
            } else {
                high = middle.wrapping_sub(1);
            }
        }
        None
    }

    /// The range's place in `block`, which the function above has found.
    #[inline(always)]
    fn place<const LEN: usize, R>(
        &self,
        block: u32,
        ranges: &[R; LEN],
        value: u64,
        wide: bool,
        start: impl Fn(&R) -> u64,
    ) -> usize {
        let mask = LEN.wrapping_sub(1);
        let shift = LEN.trailing_zeros();
        let (first, last) = (self.first, self.last());
        let mut low = 0;
        let mut high = mask;
        if first >> shift == block {
            low = first as usize & mask;
        }
        if last >> shift == block {
            high = last as usize & mask;
        }
        let mut count = high.wrapping_sub(low).wrapping_add(1);
        for _ in 0..=shift {
            if count <= 1 {
                break;
            }
            let half = count >> 1;
            let middle = helpers::opaque(low.wrapping_add(half)) & mask;
            let start = ranges.get(middle).map_or(u64::MAX, &start);
            low = low.wrapping_add(half & is_at_most(start, value, wide));
            count = count.wrapping_sub(half);
        }
        helpers::opaque(low) & mask
    }

    /// The number of its last range.
    #[inline(always)]
    const fn last(&self) -> u32 {
        self.first.wrapping_add(self.len).wrapping_sub(1)
    }
}

/// All bits set if `start <= value`, else none. Numbers that are not `wide` have 32 bits at most, and
/// are compared in fewer instructions, among them a branch: without it (measured), addresses in a set
/// of 100 000 cost 8 % less of IPv4 but 4 % more of IPv6, and those of a few rules up to 20 ns more.
#[inline(always)]
fn is_at_most(start: u64, value: u64, wide: bool) -> usize {
    let difference = value.wrapping_sub(start);
    let borrow = if wide {
        (!value & start) | ((!value | start) & difference)
    } else {
        difference
    } >> 63;
    // Opaque, or the compiler branches on it.
    helpers::opaque(borrow as usize).wrapping_sub(1)
}

/// A block of a table that was looked up, and its number.
struct Known<B: 'static> {
    number: u32,
    block: &'static B,
}

impl<B> Known<B> {
    /// Looks a block up.
    #[inline(always)]
    fn of(table: &'static Table<B>, number: u32) -> Option<Self> {
        let block = table.get(number)?;
        Some(Self { number, block })
    }

    /// Block `number`: this one, or looked up if it is another.
    #[inline(always)]
    fn or(self, table: &'static Table<B>, number: u32) -> Option<Self> {
        if self.number == number {
            return Some(self);
        }
        Self::of(table, number)
    }
}

/// Finds a value in a run of a table: its range, and the block that it is in. `known` is a block that
/// was looked up before.
macro_rules! find {
    ($ranges:expr, $per_block:expr, $first:expr, $len:expr, $value:expr $(, $known:expr)?) => {{
        let ranges = $ranges;
        let search = Search {
            first: $first,
            len: $len,
        };
        let wide = size_of_val(&$value) == size_of::<u64>();
        let value = u64::from($value);
        let number = search.block($per_block, value, |number| {
            let block = ranges.get(number / $per_block)?;
            let range = block.ranges.first()?;
            Some(u64::from(range.start))
        })?;
        let known = find!(@look_up ranges, number $(, $known)?)?;
        let place = search.place(number, &known.block.ranges, value, wide, |range| {
            u64::from(range.start)
        });
        (known.block.ranges.get(place)?, known)
    }};
    (@look_up $ranges:expr, $number:expr) => {
        Known::of($ranges, $number)
    };
    (@look_up $ranges:expr, $number:expr, $known:expr) => {
        $known.or($ranges, $number)
    };
}

/// The position of a range in blocks of `per_block`, a power of two: the block, and the place in it.
#[inline(always)]
const fn place(number: u32, per_block: u32) -> (u32, usize) {
    (
        number >> per_block.trailing_zeros(),
        (number & per_block.wrapping_sub(1)) as usize,
    )
}

/// Addresses that the tables divide into classes.
pub(crate) trait Classed: Address {
    /// The class of this address, or [`FAULT`].
    fn class(&self, slot: Slot) -> u32;
}

impl Classed for [u8; 4] {
    #[inline(always)]
    fn class(&self, slot: Slot) -> u32 {
        hep_class4(slot.number(), u32::from_be_bytes(*self))
    }
}

impl Classed for [u8; 16] {
    #[inline(always)]
    fn class(&self, slot: Slot) -> u32 {
        let [high, low] = halves(*self);
        hep_class6(slot.number(), high, low)
    }
}

/// The class of an IPv4 address (host byte order), or [`FAULT`]; global, so that the kernel verifies it once.
#[expect(unsafe_code, reason = "an exported symbol makes a function global")]
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn hep_class4(slot: u32, address: u32) -> u32 {
    look_up4(Slot::of(slot), address).unwrap_or(FAULT)
}

/// Looks up the class of an IPv4 address; `None` if the tables contradict each other.
#[inline(always)]
fn look_up4(slot: Slot, address: u32) -> Option<u32> {
    let Run { first, len } = *maps::root4(slot, address >> 16)?;
    if len == 0 {
        return Some(first);
    }
    let ranges = maps::ranges4(slot)?;
    let low = address & 0xffff;
    let (range, _) = find!(ranges, RANGES4_PER_BLOCK, first, len, low);
    Some(range.class.into())
}

/// The class of an IPv6 address, or [`FAULT`]; global, so that the kernel verifies it once.
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

/// Looks up the class of an IPv6 address; `None` if the tables contradict each other.
#[inline(always)]
fn look_up6(slot: Slot, high: u64, low: u64) -> Option<u32> {
    let Run { first, len } = *maps::root6(slot, (high >> 48) as u32)?;
    if len == 0 && first & TARGET_IS_RUN == 0 {
        return Some(first);
    }
    let tops = maps::ranges6_top(slot)?;
    let (target, known) = if len == 0 {
        let (number, _) = place(first & TARGET_INDEX, RANGES6_TOP_PER_BLOCK);
        (first, Known::of(tops, number)?)
    } else {
        let bits = (high >> 32) as u32 & 0xffff;
        let (range, known) = find!(tops, RANGES6_TOP_PER_BLOCK, first, len, bits);
        (range.target, known)
    };
    if target & TARGET_IS_RUN == 0 {
        return Some(target);
    }
    let bits = (high & 0xffff_ffff) as u32;
    let (number, position) = place(target & TARGET_INDEX, RANGES6_TOP_PER_BLOCK);
    let Known { block, .. } = known.or(tops, number)?;
    let lead = lead6(tops, *block.ranges.get(position)?, bits)?;
    let mut target = lead.target;
    if lead.start != 0 {
        let ranges = maps::ranges6_mid(slot)?;
        let (first, len) = (lead.target, lead.start);
        let (range, known) = find!(ranges, RANGES6_MID_PER_BLOCK, first, len, bits);
        target = match range.target(bits, low) {
            Some(target) => target,
            None => {
                let (number, position) = place(first, RANGES6_MID_PER_BLOCK);
                let Known { block, .. } = known.or(ranges, number)?;
                block.ranges.get(position)?.target
            }
        };
    }
    if target & TARGET_IS_RUN == 0 {
        return Some(target);
    }
    let ranges = maps::ranges6_low(slot)?;
    let header = target & TARGET_INDEX;
    let (number, position) = place(header, RANGES6_LOW_PER_BLOCK);
    let known = Known::of(ranges, number)?;
    let len = u32::try_from(known.block.ranges.get(position)?.start).ok()?;
    let first = header.wrapping_add(1);
    let (range, _) = find!(ranges, RANGES6_LOW_PER_BLOCK, first, len, low, known);
    Some(range.target)
}

/// The lead for a value at the end of all forks that `lead` leads to.
#[inline(always)]
fn lead6(tops: &'static Table<Ranges6Top>, mut lead: Range6Top, value: u32) -> Option<Range6Top> {
    for _ in 0..MAX_FORKS {
        let Some(branch) = lead.branch(value) else {
            return Some(lead);
        };
        let (number, position) = place(branch, RANGES6_TOP_PER_BLOCK);
        lead = *tops.get(number)?.ranges.get(position)?;
    }
    lead.branch(value).is_none().then_some(lead)
}
