//! What wakes the loop, and waiting for what may not be there.

use std::time::Duration;

use hep_common::event::Event;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use super::super::{control::Order, netlink::NetworkError, watch::DirectoryWatch};
use crate::datapath::Events;

/// How often a trial's end is looked for.
const TRIAL_TICK: Duration = Duration::from_millis(500);
/// What woke the loop.
pub(super) enum Wake {
    Network(Result<(), NetworkError>),
    Directory,
    Refresh,
    Sweep,
    Vouch,
    Retry,
    Watchdog,
    Reload,
    Event(std::io::Result<Event>),
    Order(Order),
    Trial,
    Stop,
}

/// A timer whose first tick is a period away.
pub(super) fn ticks(period: Duration) -> Interval {
    let mut timer = interval(period.max(Duration::from_millis(100)));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

/// Never, if there is no directory.
pub(super) async fn changed(watch: Option<&mut DirectoryWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Never, if nobody can give any.
pub(super) async fn next_order(orders: Option<&mut mpsc::Receiver<Order>>) -> Option<Order> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

/// Never, if there is no trial. The timer's clock stands still while the host sleeps, so the end is
/// not slept for at a stretch.
pub(super) async fn trial_tick(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left.min(TRIAL_TICK)).await,
        None => std::future::pending().await,
    }
}

/// Never, if there is no ring yet.
pub(super) async fn next_event(events: Option<&mut Events>) -> std::io::Result<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Never, if there is no timer.
pub(super) async fn tick(timer: Option<&mut Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}
