//! Moments in 32 bits: the coarse monotonic clock in ticks.

/// A tick is that many bits of nanoseconds.
const TICK_BITS: u32 = 24;

/// How long a tick is, nanoseconds: 17 ms. Ticks wrap after 2.28 years.
pub const TICK_NS: u64 = 1 << TICK_BITS;

/// Half of what ticks count before they wrap. A moment that seems to lie further back is one that is
/// still to come.
const FURTHEST_BACK: u32 = 1 << 31;

/// A moment on the coarse monotonic clock, in ticks of [`TICK_NS`].
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick(pub u32);

abi!(Tick, 4, [u32]);

impl Tick {
    /// No moment, where one may be absent: there [`Tick::some_at`] makes the others.
    pub const NONE: Self = Self(0);

    /// The tick at `now_ns` on the coarse monotonic clock.
    #[must_use]
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
    pub const fn at(now_ns: u64) -> Self {
        Self((now_ns >> TICK_BITS) as u32)
    }

    /// As [`Tick::at`], but not [`Tick::NONE`]: the tick after it stands for that.
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

    /// Ticks of which all are over once this time has passed, wherever in a tick it began; no more than
    /// [`Tick::count_since`] tells from a moment still to come.
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

    /// How many ticks began since `earlier`; of a moment still to come, more than
    /// [`Tick::whole_in`] any time.
    #[must_use]
    #[inline(always)]
    pub const fn count_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// How long ago `earlier` was at least, nanoseconds: it may have been at the end of its tick, and
    /// this one may only have begun. 0 if it is still to come, which it is if another CPU has read the
    /// clock meanwhile.
    ///
    /// That is less than the true time by two ticks at most, as long as `earlier` is not more than half
    /// of the time back after which ticks wrap.
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

    /// Whatever part of a tick is over at its start and end, a time of so many ticks is not too long.
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
