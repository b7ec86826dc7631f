//! The events that wake the loop, and what follows from each.

use std::time::Duration;

use hep_common::event::Event;
use sd_notify::NotifyState;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, sleep_until},
};

use super::{
    super::{
        Role,
        control::{Command, Request},
        netlink::NetworkError,
        purpose::Purpose,
        summary::chain,
    },
    daemon::Daemon,
    reporter::notify,
};
use crate::datapath::Events;

/// Longest sleep before a trial's end is checked again.
const TRIAL_TICK: Duration = Duration::from_millis(500);

/// The event that woke the loop.
enum Wake {
    Network(Result<(), NetworkError>),
    Store,
    Refresh,
    Sweep,
    Vouch,
    Retry,
    Watchdog,
    Reload,
    Event(std::io::Result<Event>),
    Command(Command),
    Trial,
    Stop,
}

/// How the loop continues after an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The report may have changed.
    Publish,
    /// Nothing that is reported has changed.
    Wait,
    /// The daemon ends.
    Stop,
}

impl Daemon {
    /// Waits for one event and handles it; returns whether to continue.
    pub(super) async fn turn(&mut self) -> bool {
        if self.trial_left().is_some_and(|left| left.is_zero()) {
            // Before everything else, however much there is to do.
            self.end_trial_if_over().await;
            self.publish();
            return true;
        }
        let wake = self.next_wake().await;
        match self.react(wake).await {
            Next::Stop => return false,
            Next::Wait => return true,
            Next::Publish => {}
        }
        self.refresh_name().await;
        self.publish();
        self.reporter.metrics.heartbeat();
        true
    }

    async fn next_wake(&mut self) -> Wake {
        let retry = self.enforcer.retry_at();
        let trial = self.trial_left();
        let wakeups = &mut self.wakeups;
        tokio::select! {
            biased;
            _ = wakeups.terminate.recv() => Wake::Stop,
            _ = wakeups.interrupt.recv() => Wake::Stop,
            outcome = self.network.changed() => Wake::Network(outcome),
            () = trial_tick(trial) => Wake::Trial,
            // Orders first: a store may change all the time.
            Some(command) = next_command(self.commands.as_mut()) => Wake::Command(command),
            () = self.follower.changed() => Wake::Store,
            _ = wakeups.reload.recv() => Wake::Reload,
            () = tick(wakeups.refresh.as_mut()) => Wake::Refresh,
            () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => Wake::Retry,
            () = tick(wakeups.watchdog.as_mut()) => Wake::Watchdog,
            _ = wakeups.sweep.tick() => Wake::Sweep,
            _ = wakeups.vouch.tick() => Wake::Vouch,
            event = next_event(self.reporter.events.as_mut()) => Wake::Event(event),
        }
    }

    async fn react(&mut self, wake: Wake) -> Next {
        match wake {
            Wake::Network(Ok(())) => self.refresh_network().await,
            Wake::Refresh => {
                self.refresh_network().await;
                self.report_problems();
            }
            Wake::Network(Err(error)) => log::error!("{}", chain(&error)),
            Wake::Store => self.refresh_store().await,
            Wake::Reload => self.reload().await,
            Wake::Retry => self.enforce_again().await,
            Wake::Watchdog => notify(&[NotifyState::Watchdog]),
            Wake::Sweep => {
                self.sweep_flows().await;
                self.serve_metrics().await;
            }
            Wake::Vouch => {
                self.enforcer.reconciler.vouch();
                return Next::Wait;
            }
            Wake::Event(Ok(event)) => {
                self.reporter.event(&event, &self.enforcer.reconciler);
                return Next::Wait;
            }
            Wake::Event(Err(error)) => {
                log::error!("records of the programs: {}", chain(&error));
                self.reporter.events = None;
            }
            Wake::Command(command) => return self.answer(command).await,
            // Handled at the start of each turn.
            Wake::Trial => {}
            Wake::Stop => {
                self.end_trial_before_stop().await;
                return Next::Stop;
            }
        }
        Next::Publish
    }

    async fn answer(&mut self, Command { request, reply }: Command) -> Next {
        let is_last = request == Request::HandOver && matches!(self.options.role, Role::Boot);
        let answer = self.handle(request).await;
        self.publish();
        // The client may be gone; the request is handled all the same.
        drop(reply.send(answer));
        if is_last { Next::Stop } else { Next::Publish }
    }

    async fn reload(&mut self) {
        log::info!("SIGHUP: reading the policy directory again");
        // Both in one message: the service manager requires the time at which the reload began.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
        self.follower.forget();
        self.refresh_store().await;
        notify(&[NotifyState::Ready]);
    }

    async fn refresh_network(&mut self) {
        match self.network.read().await {
            Ok(network) => {
                let is_different = self.enforcer.reconciler.set_network(network);
                if is_different || self.enforcer.failure().is_some() {
                    self.enforce_again().await;
                } else {
                    self.enforcer.check_hooks().await;
                }
            }
            Err(error) => log::error!("{}", chain(&error)),
        }
    }

    async fn enforce_again(&mut self) {
        if let Some(Ok(enforced)) = self.enforcer.again(Purpose::Interfaces).await {
            self.loaded(&enforced);
        }
        self.report_problems();
    }

    /// Serves metrics and health checks as the configuration in force says.
    pub(super) async fn serve_metrics(&mut self) {
        if let Some(snapshot) = &self.enforcer.snapshot {
            self.reporter.serve_metrics(&snapshot.felix).await;
        }
    }
}

/// Waits for the next command; forever without a channel.
async fn next_command(commands: Option<&mut mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

/// Polls while a trial runs, never otherwise: tokio's clock stops during suspend, so one long sleep would
/// overrun the trial's end.
async fn trial_tick(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left.min(TRIAL_TICK)).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next event of the ring; forever without a ring.
async fn next_event(events: Option<&mut Events>) -> std::io::Result<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Waits for the timer's next tick; forever without a timer.
async fn tick(timer: Option<&mut Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}
