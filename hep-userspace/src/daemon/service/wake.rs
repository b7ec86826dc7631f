//! The events that wake the loop, and waits for sources that may be absent.

use std::time::Duration;

use hep_common::event::Event;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use super::super::{control::Order, netlink::NetworkError, watch::DirectoryWatch};
use crate::datapath::Events;

/// Longest sleep before a trial's end is checked again.
const TRIAL_TICK: Duration = Duration::from_millis(500);
/// The event that woke the loop.
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

/// Creates a timer whose first tick is one period away.
pub(super) fn ticks(period: Duration) -> Interval {
    let mut timer = interval(period.max(Duration::from_millis(100)));
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer.reset();
    timer
}

/// Waits for a change of the directory; forever without one.
pub(super) async fn changed(watch: Option<&mut DirectoryWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// Waits for the next command; forever without a channel.
pub(super) async fn next_order(orders: Option<&mut mpsc::Receiver<Order>>) -> Option<Order> {
    match orders {
        Some(orders) => orders.recv().await,
        None => std::future::pending().await,
    }
}

/// Polls while a trial runs, never otherwise: tokio's clock stops during suspend, so one long sleep would
/// overrun the trial's end.
pub(super) async fn trial_tick(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left.min(TRIAL_TICK)).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next event of the ring; forever without a ring.
pub(super) async fn next_event(events: Option<&mut Events>) -> std::io::Result<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for the timer's next tick; forever without a timer.
pub(super) async fn tick(timer: Option<&mut Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}
