//! The daemon: a loop over three parts, which wakes for the store, interfaces, timers and signals.
//!
//! | part | owns |
//! | --- | --- |
//! | [`follower`] | what is wanted: the store, its validated content, what is pending or refused |
//! | [`enforcer`] | what is in force: the snapshot, the kernel's state, what failed and when to retry |
//! | [`reporter`] | what is said of it: report, events, metrics, service manager |
//!
//! The journal ([`super::state`]) says which policy is to be in force, and [`super::mode`] why.

mod commit;
mod enforcer;
mod follower;
mod hand_over;
mod load;
mod name;
mod panic;
mod preflight;
mod reporter;
mod requests;
mod resume;
mod rollback;
mod sweep;
mod trial;
mod wake;

use enforcer::Enforcer;
use follower::Follower;
use reporter::{Reporter, notify};
use sd_notify::NotifyState;
use tokio::sync::mpsc;
use wake::Wakeups;

use super::{
    DaemonError, Options, Role,
    clock::Moment,
    control::{Answer, Command, Request},
    identity,
    listen::Sockets,
    netlink::NetworkWatch,
    reconcile::Reconciler,
    state::{Journal, Settings, StateDirectory},
    status::Decided,
    summary::chain,
};
use crate::{
    compile::Description,
    datapath::{KernelError, Maps, attach::Attachments, links_directory},
};

/// Runs the daemon until SIGTERM or SIGINT; the policy in force stays in force.
///
/// # Errors
///
/// [`DaemonError`] if it cannot start. Later errors are reported, and the daemon continues.
pub async fn run(options: Options) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    let sockets = daemon.sockets()?;
    let (commands, received) = mpsc::channel(1);
    let reporter = &daemon.reporter;
    let (report, feed) = (reporter.report.clone(), reporter.feed.clone());
    tokio::spawn(sockets.serve(report, feed, commands));
    daemon.commands = Some(received);
    daemon.first_load().await?;
    // The host may have got its name meanwhile.
    daemon.refresh_name().await;
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
pub async fn handle_once(options: Options, request: Request) -> Result<Answer, DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    daemon.first_load().await?;
    Ok(daemon.handle(request).await)
}

struct Daemon {
    options: Options,
    follower: Follower,
    enforcer: Enforcer,
    reporter: Reporter,
    network: NetworkWatch,
    wakeups: Wakeups,
    commands: Option<mpsc::Receiver<Command>>,
    /// Dropped last: the next process waits for its lock, and must then find the lock of the pins free.
    state: StateDirectory,
}

impl Daemon {
    async fn start(options: Options) -> Result<Self, DaemonError> {
        let mut state = hand_over::open(&options).await?;
        let mut network = NetworkWatch::open()?;
        let previous = previous_generation(&options);
        recover(&mut state, &previous);
        let previous = previous.ok().flatten();
        let attachments = Attachments::new(links_directory(&options.bpffs), network.handle());
        let newest = state.journal().entries.last();
        let floor = newest.map_or(0, |newest| newest.generation);
        let mut reconciler = Reconciler::new(options.clone(), attachments, previous, floor);
        reconciler.set_network(network.read().await?);
        if matches!(options.role, Role::Follow(_)) {
            let settings = Settings::of(&options, identity::machine_id());
            state.update(|journal| journal.settings = Some(settings))?;
        }
        Ok(Self {
            follower: Follower::new(&options),
            enforcer: Enforcer::new(reconciler),
            reporter: Reporter::start(&options).await?,
            network,
            wakeups: Wakeups::new().map_err(DaemonError::Signals)?,
            commands: None,
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

    /// Changes the journal; a failure is logged, and the change is lost.
    fn note(&mut self, what: &str, change: impl FnOnce(&mut Journal)) {
        if let Err(error) = self.state.update(change) {
            log::error!("note {what}: {}", chain(&error));
        }
    }

    /// Brings the report up to date.
    fn publish(&mut self) {
        let failure = self.enforcer.failure().map(str::to_owned);
        let degraded = failure.or_else(|| self.follower.degraded());
        let decided = Decided::of(self.state.journal(), &Moment::now());
        self.reporter.update(|report| {
            report.degraded = degraded;
            report.untrusted = self.follower.untrusted.map(str::to_owned);
            report.ready = self.enforcer.is_whole();
            report.generation = self.enforcer.generation();
            report.decided = decided;
            report.directory_changed = self.follower.pending.is_some();
            report.local_in = self.enforcer.reconciler.local_in().clone();
        });
        self.reporter.notify_state();
    }
}

/// Decides whether a policy that a dead daemon was about to load is in force.
fn recover(state: &mut StateDirectory, previous: &Result<Option<Description>, KernelError>) {
    match previous {
        Ok(previous) => {
            let in_force = previous.as_ref().map(|previous| previous.policy);
            if let Err(error) = state.recover(in_force) {
                log::error!("keep the policy in force: {}", chain(&error));
            }
        }
        Err(error) => log::warn!("what a former daemon left: {}", chain(error)),
    }
}

/// Description of the generation that a previous daemon left in force, if any.
fn previous_generation(options: &Options) -> Result<Option<Description>, KernelError> {
    match Maps::open(&options.bpffs).and_then(|maps| maps.description()) {
        Ok(description) => Ok(Some(description)),
        Err(KernelError::NotPinned(_) | KernelError::NoGeneration) => Ok(None),
        Err(error) => Err(error),
    }
}
