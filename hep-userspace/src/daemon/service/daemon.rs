//! The daemon's parts, and its start.

use tokio::sync::mpsc;

use super::{
    super::{
        DaemonError, Options, Role,
        clock::Moment,
        control::Command,
        identity,
        listen::Sockets,
        netlink::NetworkWatch,
        reconcile::Reconciler,
        state::{Journal, Settings, StateDirectory},
        status::Decided,
        summary::chain,
    },
    enforcer::Enforcer,
    follower::Follower,
    hand_over,
    reporter::Reporter,
    wakeups::Wakeups,
};
use crate::{
    compile::Description,
    datapath::{KernelError, Maps, attach::Attachments, links_directory},
};

/// The daemon.
pub(super) struct Daemon {
    pub(super) options: Options,
    pub(super) follower: Follower,
    pub(super) enforcer: Enforcer,
    pub(super) reporter: Reporter,
    pub(super) network: NetworkWatch,
    pub(super) wakeups: Wakeups,
    pub(super) commands: Option<mpsc::Receiver<Command>>,
    /// Dropped last: the next process waits for this lock, and the lock of the pins must be free by then.
    pub(super) state: StateDirectory,
}

impl Daemon {
    pub(super) async fn start(options: Options) -> Result<Self, DaemonError> {
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

    pub(super) fn sockets(&self) -> Result<Sockets, DaemonError> {
        let path = &self.options.socket;
        Sockets::make(path).map_err(|source| DaemonError::Socket {
            path: path.clone(),
            source,
        })
    }

    /// Changes the journal. If that fails, the change is lost, and the log names it as `what`.
    pub(super) fn note(&mut self, what: &str, change: impl FnOnce(&mut Journal)) {
        if let Err(error) = self.state.update(change) {
            log::error!("note {what}: {}", chain(&error));
        }
    }

    /// Brings the report up to date.
    pub(super) fn publish(&mut self) {
        let failure = self.enforcer.failure().map(str::to_owned);
        let degraded = failure.or_else(|| self.follower.degraded());
        let decided = Decided::of(self.state.journal(), &Moment::now());
        self.reporter.update(|report| {
            report.degraded = degraded;
            report.untrusted = self.follower.untrusted.clone();
            report.store = self.follower.store();
            report.ready = self.enforcer.is_whole();
            report.generation = self.enforcer.generation();
            report.decided = decided;
            report.directory_changed = self.follower.pending.is_some();
            report.local_in = self.enforcer.reconciler.local_in().clone();
        });
        self.reporter.notify_state();
    }
}

/// Records the policy that a dead daemon was about to load, if it came into force.
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
