//! Waiting times: random everywhere, so that a thousand hosts never ask at the same moment.

use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};

/// The longest time between two looks whether a store that went away answers again.
const PROBE: Duration = Duration::from_secs(3);
/// Lists per second that all hosts together ask of a store that came back (spec DS-288).
const LISTS_PER_SECOND: usize = 500;
/// The least and the most time between lists that fail (spec DS-230).
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The least time between slow lists, and how much is added at random (spec DS-257).
const SLOW: (Duration, Duration) = (Duration::from_secs(1800), Duration::from_secs(1800));

/// A random time up to `most`.
fn random(most: Duration) -> Duration {
    let mut bytes = [0; 4];
    // Without random bytes, the whole time.
    if getrandom(&mut bytes, GetRandomFlags::NONBLOCK) != Ok(bytes.len()) {
        return most;
    }
    most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// The time until the next look whether the store answers.
pub(super) fn until_probe() -> Duration {
    random(PROBE)
}

/// The time until a list after the store came back, with this many hosts.
pub(super) fn until_list(hosts: usize) -> Duration {
    let spread = Duration::from_secs(1) * u32::try_from(hosts).unwrap_or(u32::MAX);
    random(spread / u32::try_from(LISTS_PER_SECOND).unwrap_or(1))
}

/// The time until the next slow list.
pub(super) fn until_slow_list() -> Duration {
    SLOW.0 + random(SLOW.1)
}

/// The time after the `failures`-th failed list.
pub(super) fn until_retry(failures: u32, wanted: Option<Duration>) -> Duration {
    let most = RETRY.0.saturating_mul(1 << failures.min(10)).min(RETRY.1);
    wanted.unwrap_or_default() + random(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-230.
    #[test]
    fn times_are_random_and_bounded() {
        let times: Vec<Duration> = (0..100).map(|_| until_probe()).collect();
        assert!(times.iter().all(|time| *time <= PROBE));
        assert!(times.iter().any(|time| *time != times[0]));
        assert!(until_list(0).is_zero());
        assert!(until_list(10_000) <= Duration::from_secs(20));
        assert!(until_retry(40, None) <= RETRY.1);
        let wanted = Duration::from_secs(7);
        assert!(until_retry(0, Some(wanted)) >= wanted);
    }
}
