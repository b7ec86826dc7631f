//! Clock of the fast path: time without a call of the kernel.

use core::cell::UnsafeCell;

use aya_ebpf::helpers::generated;
use hep_common::tick::Tick;

use crate::helpers::low;

/// A reading of the clock: the lower half of the kernel's jiffies, above the tick. One word, so that no CPU
/// takes the tick of one reading for that of another.
#[repr(transparent)]
struct Reading(UnsafeCell<u64>);

#[expect(unsafe_code, reason = "the word is shared without a lock")]
// SAFETY: it is read and written as one word.
unsafe impl Sync for Reading {}

#[expect(unsafe_code, reason = "the word is shared without a lock")]
impl Reading {
    #[inline(always)]
    fn load(&self) -> u64 {
        // SAFETY: the word lives as long as the programs; whatever another CPU writes is a reading.
        unsafe { self.0.get().read_volatile() }
    }

    #[inline(always)]
    fn store(&self, reading: u64) {
        // SAFETY: as in `load`.
        unsafe { self.0.get().write_volatile(reading) }
    }
}

/// The last reading. It would be mistaken for a new one only if the next packet of any flow came 2^32 jiffies
/// later, to the jiffy.
static LAST: Reading = Reading(UnsafeCell::new(0));

/// The time: like the coarse clock's, at most one jiffy late.
///
/// The kernel compiles the call for the jiffies to a load, so that a clock is called once in a jiffy only. A
/// call of the coarse one for each packet is a seventh of the fast path's cost (measured: 16 of 107 ns).
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
pub(crate) fn tick() -> Tick {
    // SAFETY: the helper takes no arguments.
    let jiffies = low(unsafe { generated::bpf_jiffies64() });
    let last = LAST.load();
    if low(last >> 32) == jiffies {
        Tick(low(last))
    } else {
        read(jiffies)
    }
}

/// Reads the clock, and notes that it was read in this jiffy.
///
/// It is the precise one: the coarse clock changes a moment after the jiffies do.
#[inline(always)]
#[expect(unsafe_code, reason = "a helper is called")]
fn read(jiffies: u32) -> Tick {
    core::hint::cold_path();
    // SAFETY: the helper takes no arguments.
    let tick = Tick::at(unsafe { generated::bpf_ktime_get_ns() });
    LAST.store(u64::from(jiffies) << 32 | u64::from(tick.0));
    tick
}
