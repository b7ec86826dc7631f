//! The client's own limit of requests (spec DS-114).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Requests per second, in the long run.
const RATE: f64 = 5.0;
/// Requests that may be sent at once after a pause.
const BURST: f64 = 100.0;

/// A bucket of requests: each takes one, and waits for it if there is none.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// Negative if requests are waiting.
    requests: f64,
    filled: Instant,
}

impl Throttle {
    /// A full bucket.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Bucket {
            requests: BURST,
            filled: Instant::now(),
        }))
    }

    /// Waits until the next request may be sent.
    pub(super) async fn wait(&self) {
        let wait = self.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a request at this moment; returns how long to wait for it.
    fn take(&self, now: Instant) -> Duration {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.filled = now;
        bucket.requests = (bucket.requests + passed * RATE).min(BURST) - 1.0;
        Duration::from_secs_f64((-bucket.requests / RATE).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec DS-114.
    #[test]
    fn a_hundred_requests_are_sent_at_once_and_five_a_second_after() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(throttle.take(now), Duration::ZERO);
        }
        for queue in 1_u32..4 {
            let wait = throttle.take(now).as_secs_f64();
            assert!((wait - 0.2 * f64::from(queue)).abs() < 0.01, "{wait}");
        }
        let later = now + Duration::from_secs(60);
        for _ in 0..100 {
            assert_eq!(throttle.take(later), Duration::ZERO);
        }
        assert!(!throttle.take(later).is_zero());
    }
}
