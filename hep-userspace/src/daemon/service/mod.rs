//! The daemon's loop, which wakes for files, interfaces, timers and signals.

mod enforce;
mod hand_over;
mod load;
mod name;
mod orders;
mod sweep;
mod trial;
mod wake;

use std::{collections::BTreeSet, time::Duration};

use hep_common::event::Event;
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, Interval, sleep_until},
};
use wake::{Wake, changed, next_event, next_order, tick, ticks, trial_tick};

use super::{
    DaemonError, Options,
    control::{Answer, Order, Request},
    events::Record,
    feed::{Feed, Monitoring},
    identity,
    listen::Sockets,
    metrics::{Figures, Listeners},
    netlink::NetworkWatch,
    purpose::Purpose,
    reconcile::{EnforceError, Enforced, Reconciler},
    state::{Moment, Policy, Settings, StateDirectory},
    status::{self, Decided, Report, SharedReport, Written},
    summary::{chain, summary},
    sysctl,
    watch::DirectoryWatch,
};
use crate::{
    compile::{Description, Slots},
    datapath::{Events, KernelError, Maps, attach::Attachments, links_directory},
    model::Snapshot,
    printable::Printable,
    validate::{Loader, Node, Problem},
};

/// Interval of sweeps of expired flows.
const SWEEP: Duration = Duration::from_secs(10);
/// Interval at which the daemon confirms to the programs that they have every address of this host.
const VOUCH: Duration = Duration::from_secs(2);
/// First and longest wait before a retry.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Runs the daemon until SIGTERM or SIGINT; the policy in force stays in force.
///
/// # Errors
///
/// [`DaemonError`] if it cannot start. Later errors are reported, and the daemon continues.
pub async fn run(options: Options) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    let sockets = daemon.sockets()?;
    let (orders, received) = mpsc::channel(1);
    let (report, feed) = (daemon.report.clone(), daemon.feed.clone());
    tokio::spawn(sockets.serve(report, feed, orders));
    daemon.orders = Some(received);
    daemon.first_load().await?;
    // The host may have got its name meanwhile.
    daemon.look_at_name().await;
    daemon.publish();
    notify(&[NotifyState::Ready]);
    while daemon.turn().await {}
    notify(&[NotifyState::Stopping]);
    log::info!("stopped; the policy stays in force until `hep down`");
    Ok(())
}

/// Handles `request` without a running daemon: brings the last decided state into force, handles the
/// request, and ends.
///
/// # Errors
///
/// [`DaemonError`] if the last decided state cannot be brought into force.
pub async fn obey_once(options: Options, request: Request) -> Result<Answer, DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    daemon.first_load().await?;
    Ok(daemon.obey(request).await)
}

struct Daemon {
    options: Options,
    node: Node,
    loader: Loader,
    report: SharedReport,
    network: NetworkWatch,
    /// `None` if no directory is followed.
    watch: Option<DirectoryWatch>,
    /// A change of the directory that is not followed for now (panic, trial).
    pending: Option<Policy>,
    orders: Option<mpsc::Receiver<Order>>,
    /// Policy of the generation that a previous daemon left in force, if any.
    former: Option<u32>,
    reconciler: Reconciler,
    snapshot: Option<Snapshot>,
    /// Problems of the files in force.
    problems: Vec<Problem>,
    /// Reason why the directory's present content is not in force.
    refused: Option<String>,
    /// Reason why the directory could not be read.
    unreadable: Option<String>,
    /// Reason why the snapshot is not fully in force, and when to retry.
    failed: Option<Failure>,
    refresh: Option<Interval>,
    sweep: Interval,
    vouch: Interval,
    watchdog: Option<Interval>,
    events: Option<Events>,
    feed: Feed,
    figures: Figures,
    listeners: Listeners,
    /// Flow tables that are nearly full.
    pressing: BTreeSet<String>,
    signals: Signals,
    /// When to retry the rollback of an expired trial, if it failed.
    way_back_again: Option<Instant>,
    /// Last status that was sent to the service manager.
    told: String,
    /// Dropped last: the next process waits for its lock, and must then find the lock of the pins free.
    state: StateDirectory,
}

struct Failure {
    text: String,
    again: Instant,
    wait: Duration,
}

struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Daemon {
    async fn start(options: Options) -> Result<Self, DaemonError> {
        let mut state = hand_over::open(&options).await?;
        let mut network = NetworkWatch::open()?;
        let former = former_generation(&options);
        let in_force = former.as_ref().ok().and_then(Option::as_ref);
        let slots = in_force.map_or_else(Slots::default, |former| former.slots.clone());
        let attachments = Attachments::new(links_directory(&options.bpffs), network.handle());
        let in_force = in_force.map(|former| former.policy);
        match former {
            Ok(_) => {
                if let Err(error) = state.settle(in_force) {
                    log::error!("keep the policy in force: {}", chain(&error));
                }
            }
            Err(error) => log::warn!("what a former daemon left: {}", chain(&error)),
        }
        let floor = state.journal().entries.last();
        let floor = floor.map_or(0, |newest| newest.generation);
        let mut reconciler = Reconciler::new(options.clone(), attachments, slots, floor);
        reconciler.set_network(network.read().await?);
        if let Some(policy_dir) = &options.policy_dir {
            let settings = settings(&options, policy_dir);
            state.update(|journal| journal.settings = Some(settings))?;
        }
        let report = SharedReport::new(Report {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: status::unix_ms(),
            node: options.node.to_string(),
            policy_dir: options.policy_dir.clone().unwrap_or_default(),
            ..Report::default()
        });
        let feed = Feed::new(Monitoring {
            deny_events: options.deny_events,
        });
        let figures = Figures::new(options.bpffs.clone(), report.clone());
        let metrics = options.metrics.clone();
        let listeners = Listeners::start(figures.clone(), metrics.clone()).await;
        let listeners = listeners.map_err(|source| DaemonError::Metrics {
            address: metrics.map_or_else(String::new, |address| address.to_string()),
            source,
        })?;
        Ok(Self {
            node: Node {
                name: options.node.clone(),
                labels: options.node_labels.clone(),
                cpus: sysctl::cpus(),
            },
            loader: Loader::default(),
            report,
            network,
            watch: options.policy_dir.as_deref().map(DirectoryWatch::new),
            pending: None,
            orders: None,
            former: in_force,
            reconciler,
            snapshot: None,
            problems: Vec::new(),
            refused: None,
            unreadable: None,
            failed: None,
            refresh: None,
            sweep: ticks(SWEEP),
            vouch: ticks(VOUCH),
            watchdog: sd_notify::watchdog_enabled().map(|period| ticks(period / 2)),
            events: None,
            feed,
            figures,
            listeners,
            pressing: BTreeSet::new(),
            signals: Signals::new().map_err(DaemonError::Signals)?,
            way_back_again: None,
            told: String::new(),
            options,
            state,
        })
    }

    fn sockets(&self) -> Result<Sockets, DaemonError> {
        let path = &self.options.socket;
        Sockets::make(path).map_err(|source| DaemonError::Socket {
            path: path.clone(),
            source,
        })
    }

    /// Waits for one event and handles it; returns whether to continue.
    async fn turn(&mut self) -> bool {
        let retry = self.failed.as_ref().map(|failure| failure.again);
        let trial = self.trial_left();
        if trial.is_some_and(|left| left.is_zero()) {
            // Before everything else, however much there is to do.
            self.end_trial_if_over().await;
            self.publish();
            return true;
        }
        let wake = tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => Wake::Stop,
            _ = self.signals.interrupt.recv() => Wake::Stop,
            outcome = self.network.changed() => Wake::Network(outcome),
            () = trial_tick(trial) => Wake::Trial,
            () = changed(self.watch.as_mut()) => Wake::Directory,
            Some(order) = next_order(self.orders.as_mut()) => Wake::Order(order),
            _ = self.signals.reload.recv() => Wake::Reload,
            () = tick(self.refresh.as_mut()) => Wake::Refresh,
            () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => Wake::Retry,
            () = tick(self.watchdog.as_mut()) => Wake::Watchdog,
            _ = self.sweep.tick() => Wake::Sweep,
            _ = self.vouch.tick() => Wake::Vouch,
            event = next_event(self.events.as_mut()) => Wake::Event(event),
        };
        match wake {
            Wake::Network(Ok(())) => self.look_at_network().await,
            Wake::Refresh => {
                self.look_at_network().await;
                self.look_at_ssh();
            }
            Wake::Network(Err(error)) => log::error!("{}", chain(&error)),
            Wake::Directory => self.look_at_directory().await,
            Wake::Reload => {
                log::info!("SIGHUP: reading the policy directory again");
                // Both in one message: the service manager requires the time at which the reload began.
                match NotifyState::monotonic_usec_now() {
                    Ok(now) => notify(&[NotifyState::Reloading, now]),
                    Err(_) => notify(&[NotifyState::Reloading]),
                }
                if let Some(watch) = &mut self.watch {
                    watch.forget();
                }
                self.look_at_directory().await;
                notify(&[NotifyState::Ready]);
            }
            Wake::Retry => self.enforce_again().await,
            Wake::Watchdog => notify(&[NotifyState::Watchdog]),
            Wake::Sweep => {
                self.sweep_flows().await;
                self.serve_figures().await;
            }
            Wake::Vouch => {
                self.reconciler.vouch();
                return true;
            }
            Wake::Event(Ok(event)) => {
                self.tell_event(&event);
                return true;
            }
            Wake::Event(Err(error)) => {
                log::error!("records of the programs: {}", chain(&error));
                self.events = None;
            }
            Wake::Order(Order { request, reply }) => {
                let is_last = request == Request::HandOver && self.options.policy_dir.is_none();
                let answer = self.obey(request).await;
                self.publish();
                // The client may be gone; the request is handled all the same.
                drop(reply.send(answer));
                return !is_last;
            }
            // Handled at the start of each turn.
            Wake::Trial => {}
            Wake::Stop => {
                self.end_trial_before_stop().await;
                return false;
            }
        }
        self.look_at_name().await;
        self.publish();
        self.figures.turned();
        true
    }

    /// Serves metrics and health checks at the addresses of the configuration in force.
    async fn serve_figures(&mut self) {
        if let Some(snapshot) = &self.snapshot {
            self.listeners.follow(&snapshot.felix).await;
        }
    }

    async fn look_at_network(&mut self) {
        match self.network.read().await {
            Ok(network) => {
                if self.reconciler.set_network(network) || self.failed.is_some() {
                    self.enforce_again().await;
                } else {
                    self.look_at_hooks().await;
                }
            }
            Err(error) => log::error!("{}", chain(&error)),
        }
    }

    /// Checks that the programs are still attached where they belong (spec EV-265).
    async fn look_at_hooks(&mut self) {
        let Some(snapshot) = self.snapshot.take() else {
            return;
        };
        match self.reconciler.attach(&snapshot).await {
            Ok(_changed) => {}
            Err(error) => self.fail(&error),
        }
        self.snapshot = Some(snapshot);
    }

    async fn enforce_again(&mut self) {
        let Some(snapshot) = self.snapshot.take() else {
            return;
        };
        match self
            .reconciler
            .enforce(&snapshot, Purpose::Interfaces)
            .await
        {
            Ok(enforced) => self.succeeded(&enforced),
            Err(error) => self.fail(&error),
        }
        if self.refused.is_none() {
            self.tell_warnings(&snapshot);
        }
        self.snapshot = Some(snapshot);
    }

    fn succeeded(&mut self, enforced: &Enforced) {
        self.failed = None;
        if enforced.is_new {
            let [entries, written] = enforced.entries;
            self.report.lock().written = Written { written, entries };
        }
        self.listen_to_kernel();
        let description = self
            .reconciler
            .in_force()
            .map(|generation| &generation.description);
        if let Some(description) = description
            && (enforced.is_new || enforced.attached + enforced.detached > 0)
        {
            log::info!("{}", summary(description, enforced));
        }
    }

    fn fail(&mut self, error: &EnforceError) {
        let text = chain(error);
        log::error!("{text}");
        let wait = self
            .failed
            .as_ref()
            .map_or(RETRY.0, |failure| (failure.wait * 2).min(RETRY.1));
        self.failed = Some(Failure {
            text,
            again: Instant::now() + wait,
            wait,
        });
    }

    /// Begins to read the programs' events and log, once there are programs.
    fn listen_to_kernel(&mut self) {
        if self.events.is_some() {
            return;
        }
        let Some(kernel) = self.reconciler.kernel() else {
            return;
        };
        match kernel.maps().events() {
            Ok(events) => self.events = Some(events),
            Err(error) => log::error!("{}", chain(&error)),
        }
        match kernel.program_log() {
            Ok(log) => {
                if let Some(mut log) = log {
                    tokio::task::spawn(async move { log.forward().await });
                }
            }
            Err(error) => log::error!("{}", chain(&error)),
        }
    }

    /// Sends an event to the listeners; events that a `Log` rule requested are logged as well.
    fn tell_event(&self, event: &Event) {
        let Some(generation) = self.reconciler.in_force() else {
            return;
        };
        let record = Record::new(event, &generation.description, status::unix_ms());
        if event.logged_count > 0 {
            log::info!(target: "hep::event", "{record}");
        }
        if self.feed.is_heard() {
            self.feed.publish(record);
        }
    }

    fn publish(&mut self) {
        let mut report = self.report.lock();
        let failed = self.failed.as_ref().map(|failure| failure.text.clone());
        report.degraded = failed
            .or_else(|| self.unreadable.clone())
            .or_else(|| self.refused.clone());
        report.ready = self.snapshot.is_some() && self.failed.is_none();
        report.generation = self
            .reconciler
            .in_force()
            .map_or(0, |generation| generation.description.generation);
        report.decided = Decided::of(self.state.journal(), &Moment::now());
        report.directory_changed = self.pending.is_some();
        report.local_in = self.reconciler.local_in().clone();
        let state = report.degraded.as_deref().or(report.holding.as_deref());
        let text = state.map_or_else(
            || "enforcing".to_owned(),
            // A line feed would begin another assignment.
            |state| Printable(format!("degraded: {state}")).to_string(),
        );
        drop(report);
        if text != self.told {
            notify(&[NotifyState::Status(&text)]);
            self.told = text;
        }
    }
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            reload: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// Description of the generation that a previous daemon left in force, if any.
fn former_generation(options: &Options) -> Result<Option<Description>, KernelError> {
    match Maps::open(&options.bpffs).and_then(|maps| maps.description()) {
        Ok(description) => Ok(Some(description)),
        Err(KernelError::NotPinned(_) | KernelError::NoGeneration) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The options that commands need while no daemon runs.
fn settings(options: &Options, policy_dir: &std::path::Path) -> Settings {
    Settings {
        node: options.node.clone(),
        follows_host: options.follows_host,
        machine_id: identity::machine_id(),
        node_labels: options.node_labels.clone(),
        policy_dir: policy_dir.to_path_buf(),
        auto_host_endpoint: options.auto_host_endpoint,
        revalidate: options.revalidate,
        nd_exempt: options.nd_exempt,
        ra_exempt: options.ra_exempt,
        bypass_mark: options.bypass_mark,
        keep_generations: options.keep_generations,
        allow_shared_policy_dir: options.allow_shared_policy_dir,
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("service manager: {error}");
    }
}
