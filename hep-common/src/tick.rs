//! Moments in 32 bits: the coarse monotonic clock in ticks.

/// Base-2 logarithm of [`TICK_NS`].
const TICK_BITS: u32 = 24;

/// Length of a tick, nanoseconds: 17 ms. Ticks wrap after 2.28 years.
pub const TICK_NS: u64 = 1 << TICK_BITS;

/// Half of the range of ticks: a moment that seems to be further back than this is in the future.
const FURTHEST_BACK: u32 = 1 << 31;

/// A moment on the coarse monotonic clock, in ticks of [`TICK_NS`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick(pub u32);

abi!(Tick, 4, [u32]);

impl Tick {
    /// Absence of a moment, in fields that may have none; [`Tick::some_at`] makes the other values of such a
    /// field.
    pub const NONE: Self = Self(0);

    /// The tick at `now_ns` on the coarse monotonic clock.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    pub const fn at(now_ns: u64) -> Self {
        Self((now_ns >> TICK_BITS) as u32)
    }

    /// The tick at `now_ns`, or the one after it where that would be [`Tick::NONE`].
    #[must_use]
    #[inline(always)]
    pub const fn some_at(now_ns: u64) -> Self {
        match Self::at(now_ns) {
            Self::NONE => Self(1),
            tick => tick,
        }
    }

    /// Whether this is [`Tick::NONE`].
    #[must_use]
    #[inline(always)]
    pub const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }

    /// Whole ticks in `time_ns`, rounded down; capped below what [`Tick::count_since`] returns for a moment
    /// in the future.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "less than half of what 32 bits hold"
    )]
    pub const fn whole_in(time_ns: u64) -> u32 {
        let ticks = time_ns >> TICK_BITS;
        if ticks < FURTHEST_BACK as u64 {
            ticks as u32
        } else {
            FURTHEST_BACK - 1
        }
    }

    /// Number of ticks that began since `earlier`; for a moment in the future, more than [`Tick::whole_in`]
    /// returns for any time.
    #[must_use]
    #[inline(always)]
    pub const fn count_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Lower bound of the time since `earlier`, nanoseconds: that moment may have been at the end of its
    /// tick, and this tick may only have begun. 0 for a moment in the future, which another CPU's later
    /// reading of the clock may be.
    ///
    /// At most two ticks below the true time, provided that `earlier` is no further back than half of the
    /// time after which ticks wrap.
    #[must_use]
    #[inline(always)]
    pub const fn least_ns_since(self, earlier: Self) -> u64 {
        match self.0.wrapping_sub(earlier.0) {
            ticks @ 1..FURTHEST_BACK => (ticks.wrapping_sub(1) as u64) << TICK_BITS,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_short_by_two_ticks_at_most() {
        let wrap_ns = TICK_NS << 32;
        for start_ns in [0, 1, TICK_NS - 1, 1 << 40, wrap_ns - 1, wrap_ns] {
            for passed_ns in [0, 1, TICK_NS - 1, TICK_NS, 1 << 40, wrap_ns / 2 - TICK_NS] {
                let told_ns = Tick::at(start_ns + passed_ns).least_ns_since(Tick::at(start_ns));
                assert!(told_ns <= passed_ns, "{passed_ns} from {start_ns}");
                assert!(
                    passed_ns - told_ns < 2 * TICK_NS,
                    "{passed_ns} from {start_ns}"
                );
            }
        }
    }

    #[test]
    fn a_moment_still_to_come_is_no_time_ago() {
        for (now, later) in [(0, 1), (5, 9), (u32::MAX, 0), (u32::MAX - 3, 4)] {
            assert_eq!(Tick(now).least_ns_since(Tick(later)), 0);
        }
    }

    /// A time of so many ticks is never too long, wherever in their ticks it starts and ends.
    #[test]
    fn whole_ticks_are_over_within_their_time() {
        for time_ns in [0, 1, TICK_NS, 60 * 1_000_000_000, TICK_NS << 31, u64::MAX] {
            let ticks = Tick::whole_in(time_ns);
            let start = Tick(u32::MAX - 5);
            let end = Tick(start.0.wrapping_add(ticks));
            assert_eq!(end.count_since(start), ticks);
            assert!(end.least_ns_since(start) <= time_ns, "{time_ns}");
            assert!(start.count_since(Tick(start.0.wrapping_add(1))) > ticks);
        }
    }

    #[test]
    fn a_moment_that_may_be_absent_is_never_none() {
        for now_ns in [0, TICK_NS - 1, TICK_NS << 32] {
            assert!(Tick::at(now_ns).is_none());
            assert_eq!(Tick::some_at(now_ns), Tick(1));
        }
        for now_ns in [TICK_NS, 7 * TICK_NS, (TICK_NS << 32) - 1] {
            assert_eq!(Tick::some_at(now_ns), Tick::at(now_ns));
        }
    }
}
