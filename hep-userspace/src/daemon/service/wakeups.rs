//! Timers and signals of the loop.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, Interval, MissedTickBehavior, interval},
};

/// Interval of sweeps of expired flows.
const SWEEP: Duration = Duration::from_secs(10);
/// Interval at which the daemon confirms to the programs that they have every address of this host.
const VOUCH: Duration = Duration::from_secs(2);

/// Timers and signals of the loop.
pub(super) struct Wakeups {
    /// Renews what is known of interfaces, hooks and SSH servers.
    pub(super) refresh: Option<Interval>,
    /// When to retry the rollback of an expired trial, if it failed.
    pub(super) rollback_retry_at: Option<Instant>,
    pub(super) sweep: Interval,
    pub(super) vouch: Interval,
    pub(super) watchdog: Option<Interval>,
    pub(super) reload: Signal,
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
}

impl Wakeups {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            refresh: None,
            rollback_retry_at: None,
            sweep: ticks(SWEEP),
            vouch: ticks(VOUCH),
            watchdog: sd_notify::watchdog_enabled().map(|period| ticks(period / 2)),
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Creates a timer whose first tick is one period away.
pub(super) fn ticks(period: Duration) -> Interval {
    let mut timer = interval(period.max(Duration::from_millis(100)));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}
