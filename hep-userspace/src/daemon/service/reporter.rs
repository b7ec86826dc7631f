//! Reports: status, events, metrics, and the state that the service manager shows.

use std::{
    collections::{BTreeSet, HashSet},
    mem,
};

use hep_common::event::Event;
use sd_notify::NotifyState;

use super::super::{
    DaemonError, Options,
    clock::unix_ms,
    control::Monitoring,
    events::Record,
    feed::Feed,
    metrics::{Listeners, Metrics},
    reconcile::{Enforced, Reconciler},
    status::{Report, ReportedProblem, SharedReport, Written},
    summary::chain,
};
use crate::{
    datapath::{Events, Occupancy},
    model::FelixConfiguration,
    printable::Printable,
    validate::{Problem, Severity},
};

/// Most problems of one load that are logged.
const MAX_LOGGED: usize = 50;

/// Reports to clients, metrics, log and service manager.
pub(super) struct Reporter {
    pub(super) report: SharedReport,
    pub(super) feed: Feed,
    pub(super) metrics: Metrics,
    listeners: Listeners,
    /// The programs' events, once there are programs.
    pub(super) events: Option<Events>,
    /// Flow tables that are nearly full.
    nearly_full: BTreeSet<String>,
    /// Last status that was sent to the service manager.
    last_sd_status: String,
}

impl Reporter {
    /// Begins to report; metrics are served where the options say.
    ///
    /// # Errors
    ///
    /// [`DaemonError::Metrics`] if they cannot be served there.
    pub(super) async fn start(options: &Options) -> Result<Self, DaemonError> {
        let report = SharedReport::new(Report {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: unix_ms(),
            node: options.node.to_string(),
            policy_dir: options.role.path().to_path_buf(),
            ..Report::default()
        });
        let metrics = Metrics::new(options.bpffs.clone(), report.clone());
        let address = options.metrics.clone();
        let listeners = Listeners::start(metrics.clone(), address.clone()).await;
        Ok(Self {
            report,
            feed: Feed::new(Monitoring {
                deny_events: options.behaviour.deny_events,
            }),
            metrics,
            listeners: listeners.map_err(|source| DaemonError::Metrics {
                address: address.map_or_else(String::new, |address| address.to_string()),
                source,
            })?,
            events: None,
            nearly_full: BTreeSet::new(),
            last_sd_status: String::new(),
        })
    }

    /// Changes the report.
    pub(super) fn update(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock());
    }

    /// Reports what a load wrote.
    pub(super) fn loaded(&self, enforced: &Enforced) {
        if enforced.is_new {
            let [entries, written] = enforced.entries;
            self.update(|report| report.written = Written { written, entries });
        }
    }

    /// Serves metrics and health checks at the addresses of the configuration in force.
    pub(super) async fn serve_metrics(&mut self, felix: &FelixConfiguration) {
        self.listeners.follow(felix).await;
    }

    /// Begins to read the programs' events and log, once there are programs.
    pub(super) fn listen_to_kernel(&mut self, reconciler: &mut Reconciler) {
        if self.events.is_some() {
            return;
        }
        let Some(kernel) = reconciler.kernel() else {
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
    pub(super) fn event(&self, event: &Event, reconciler: &Reconciler) {
        let Some(generation) = reconciler.in_force() else {
            return;
        };
        let record = Record::new(event, &generation.description, unix_ms());
        if event.logged_count > 0 {
            log::info!(target: "hep::event", "{record}");
        }
        if self.feed.is_heard() {
            self.feed.publish(record);
        }
    }

    /// Warns once when a table becomes nearly full, and again only after it had room.
    pub(super) fn occupancy(&mut self, tables: &[Occupancy]) {
        for table in tables {
            let name = table.name();
            if !table.is_pressing() {
                self.nearly_full.remove(&name);
            } else if self.nearly_full.insert(name) {
                log::warn!("{}", table.warning());
            }
        }
    }

    /// Reports problems, and logs those that were not reported before, errors first.
    pub(super) fn problems(&self, problems: &[Problem]) {
        let before = self.replace_problems(problems);
        let known: HashSet<&str> = before.iter().map(|it| it.text.as_str()).collect();
        let mut fresh: Vec<(Severity, String)> = problems
            .iter()
            .map(|problem| (problem.severity, problem.to_string()))
            .filter(|(_, text)| !known.contains(text.as_str()))
            .collect();
        fresh.sort_by_key(|(severity, _)| *severity);
        for (severity, text) in fresh.iter().take(MAX_LOGGED) {
            match severity {
                Severity::Error => log::error!("{text}"),
                Severity::Warning => log::warn!("{text}"),
                Severity::Notice => log::info!("{text}"),
            }
        }
        if fresh.len() > MAX_LOGGED {
            let more = fresh.len() - MAX_LOGGED;
            log::warn!("{more} more problems; see `hep status`");
        }
    }

    /// Replaces the reported problems by these, and returns the previous ones.
    pub(super) fn replace_problems(&self, problems: &[Problem]) -> Vec<ReportedProblem> {
        let found = problems.iter().map(ReportedProblem::from).collect();
        mem::replace(&mut self.report.lock().problems, found)
    }

    /// Sends the state of the report to the service manager, if it has changed.
    pub(super) fn notify_state(&mut self) {
        let text = {
            let report = self.report.lock();
            let state = report.degraded.as_deref().or(report.untrusted.as_deref());
            state.map_or_else(
                || "enforcing".to_owned(),
                // A line feed would begin another assignment.
                |state| Printable(format!("degraded: {state}")).to_string(),
            )
        };
        if text != self.last_sd_status {
            notify(&[NotifyState::Status(&text)]);
            self.last_sd_status = text;
        }
    }
}

/// Notifies the service manager, if there is one.
pub(super) fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::debug!("service manager: {error}");
    }
}
