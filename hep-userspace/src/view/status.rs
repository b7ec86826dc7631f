//! `hep status`: what is in force, and the state of the daemon.

mod decided;
mod store;

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Endpoint, Found, Interface, Problem, Version};
use crate::{
    compile::Description,
    daemon::{
        clock::Moment,
        control::{self, AskError},
        local_in::{self, LocalInStatus},
        state::{self, Journal, StateError},
        status::{Decided, Report},
    },
    datapath::{KernelError, Occupancy, attach, links_directory},
};

pub use decided::{EndedTrial, Frozen, Panic, Trial};
pub use store::{Store, StoreKind};

/// Policy in force, and the state of the daemon.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Version of this shape.
    pub version: Version<1>,
    /// This node's name; empty if nothing is in force.
    pub node: String,
    /// The host's name, if the node's name is to follow it and does not yet.
    pub host_name: Option<String>,
    /// Generation in force; 0 if there is none.
    pub generation: u32,
    /// Unix time at which it came into force, milliseconds.
    pub applied_unix_ms: u64,
    /// Whether the daemon runs and has brought its policy into force on every interface.
    pub ready: bool,
    /// Reason why the policy in force is not the directory's, if so.
    pub degraded: Option<String>,
    /// Reason why the directory is not trusted (missing or empty), if so.
    pub untrusted: Option<String>,
    /// Former name of `untrusted`.
    pub holding: Option<String>,
    /// The policy on trial, if any.
    pub trial: Option<Trial>,
    /// The trial that ended last.
    pub last_trial: Option<EndedTrial>,
    /// The policy that a rollback brought back, if it stays until the directory's content changes.
    pub frozen: Option<Frozen>,
    /// Former name of `frozen`.
    pub held: Option<Frozen>,
    /// The panic, if on: only failsafes and established flows pass.
    pub panic: Option<Panic>,
    /// Whether the policy directory changed since it stopped being followed.
    pub directory_changed: bool,
    /// The daemon; null if it does not run.
    pub daemon: Option<Daemon>,
    /// The store that the daemon follows, if it is one of objects.
    pub store: Option<Store>,
    /// Problems of the last load, if the daemon runs.
    pub problems: Vec<Problem>,
    /// Number of resources in force by kind.
    pub resources: BTreeMap<String, usize>,
    /// HostEndpoints of this node.
    pub endpoints: Vec<Endpoint>,
    /// Policed interfaces.
    pub interfaces: Vec<Interface>,
    /// Flow tables.
    pub tables: Vec<Table>,
    /// Whether packets that the kernel translates into this host are judged again.
    pub local_in: LocalIn,
}

/// A flow table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Table {
    /// `assuredTcp`, `assured` (other protocols), `unassured` or `fragments`.
    pub table: String,
    /// IP version; null: both.
    pub family: Option<u8>,
    /// Entries, expired ones that were not swept yet included.
    pub entries: usize,
    /// Most entries that fit.
    pub capacity: usize,
    /// Memory that the table takes in the kernel, bytes.
    pub bytes: u64,
    /// Entries in percent of the capacity.
    pub percent: usize,
    /// Whether the table is nearly full.
    pub pressing: bool,
    /// Name for people: `assured TCP IPv4`.
    pub title: String,
    /// Effect, and what to do, if the table is nearly full.
    pub warning: Option<String>,
}

impl From<&Occupancy> for Table {
    fn from(occupancy: &Occupancy) -> Self {
        Self {
            table: occupancy.table.clone(),
            family: occupancy.family,
            entries: occupancy.entries,
            capacity: occupancy.capacity,
            bytes: occupancy.bytes,
            percent: occupancy.percent(),
            pressing: occupancy.is_pressing(),
            title: occupancy.name(),
            warning: occupancy.is_pressing().then(|| occupancy.warning()),
        }
    }
}

/// The daemon's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Daemon {
    /// Process number.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// Unix time of its start, milliseconds.
    pub started_unix_ms: u64,
    /// Policy directory; empty if it only follows the interfaces (`hep boot`).
    pub policy_dir: String,
    /// Unix time of the last load attempt, milliseconds.
    pub last_load_unix_ms: u64,
    /// Amount that the last load in force wrote.
    pub last_load: LastLoad,
}

/// Amount that a load wrote into the kernel's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LastLoad {
    /// Number of entries that differed and were written.
    pub written: usize,
    /// Number of entries in all tables.
    pub entries: usize,
}

/// State of the hook behind the kernel's translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LocalInState {
    /// Nothing translates, so there is no hook.
    NotNeeded,
    /// The hook is attached, and translated packets are judged.
    Attached,
    /// Translated packets are not judged: the kernel has no such hook.
    Unsupported,
    /// Packets that NAT rules translate are not judged: the kernel does not describe its connections.
    Blind,
    /// Translated packets are not judged, or by an older program: the kernel refused the hook.
    Failed,
}

/// Whether packets that the kernel translates into this host are judged again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LocalIn {
    /// State of the hook.
    pub state: LocalInState,
    /// Features in use that hand packets to this host's processes; empty if none.
    pub causes: String,
    /// The effect in one line; null if nothing translates.
    pub note: Option<String>,
}

impl From<&LocalInStatus> for LocalIn {
    fn from(status: &LocalInStatus) -> Self {
        Self {
            state: match status.state {
                local_in::State::NotNeeded => LocalInState::NotNeeded,
                local_in::State::Attached => LocalInState::Attached,
                local_in::State::Unsupported => LocalInState::Unsupported,
                local_in::State::Blind => LocalInState::Blind,
                local_in::State::Failed => LocalInState::Failed,
            },
            causes: status.causes.clone(),
            note: status.line(),
        }
    }
}

impl From<&Report> for Daemon {
    fn from(report: &Report) -> Self {
        Self {
            pid: report.pid,
            version: report.version.clone(),
            started_unix_ms: report.started_unix_ms,
            policy_dir: report.policy_dir.display().to_string(),
            last_load_unix_ms: report.last_load_unix_ms,
            last_load: LastLoad {
                written: report.written.written,
                entries: report.written.entries,
            },
        }
    }
}

/// Places of one instance of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'a> {
    /// Directory where its maps are pinned.
    pub bpffs: &'a Path,
    /// Its control socket.
    pub socket: &'a Path,
    /// Its state directory.
    pub state_dir: &'a Path,
}

/// Reason why the status cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The daemon answers something else.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The pinned maps cannot be read.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Everything that the status is made of, but the hooks.
#[derive(Debug, Default)]
pub struct Sources {
    /// Description of the generation in force; the default if there is none.
    pub description: Description,
    tables: Vec<Occupancy>,
    report: Option<Report>,
    decided: Decided,
    local_in: LocalInStatus,
    /// Reason why the journal, which only counts without a daemon, could not be read.
    pub journal_error: Option<StateError>,
}

impl Sources {
    /// Reads maps, report and journal; no daemon need run, and nothing need be in force.
    ///
    /// # Errors
    ///
    /// [`StatusError`] if the daemon's answer or the maps cannot be read.
    pub fn read(instance: Instance<'_>) -> Result<Self, StatusError> {
        let report = match control::ask(instance.socket) {
            Ok(report) => Some(report),
            Err(AskError::NotRunning(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let (description, tables) = match Found::read(instance.bpffs)? {
            Some(found) => (found.description, found.maps.occupancy()?),
            None => Default::default(),
        };
        let mut sources = Self {
            description,
            tables,
            ..Self::default()
        };
        match &report {
            Some(report) => {
                sources.decided = report.decided.clone();
                sources.local_in = report.local_in.clone();
            }
            None => {
                let journal = state::read_journal(instance.state_dir).unwrap_or_else(|error| {
                    sources.journal_error = Some(error);
                    Journal::default()
                });
                sources.decided = Decided::of(&journal, &Moment::now());
                sources.local_in = LocalInStatus::left_in(&links_directory(instance.bpffs));
            }
        }
        sources.report = report;
        Ok(sources)
    }
}

impl Status {
    /// Merges what the daemon reports with what the kernel has; `hooks` are those of the description's
    /// interfaces, in their order.
    #[must_use]
    pub fn new(sources: Sources, hooks: &[attach::Hooks]) -> Self {
        let Sources {
            description,
            tables,
            report,
            decided,
            local_in,
            journal_error: _,
        } = sources;
        let daemon = report.as_ref().map(Daemon::from);
        let report = report.unwrap_or_default();
        let is_described = !description.node.is_empty();
        let frozen = decided.frozen.as_ref().map(Frozen::from);
        Self {
            version: Version,
            endpoints: Endpoint::all(&description),
            interfaces: Interface::all(&description, hooks),
            node: if is_described {
                description.node
            } else {
                report.node
            },
            host_name: report.host_name,
            generation: description.generation,
            applied_unix_ms: description.applied_unix_ms,
            // A generation is in force before all of its interfaces have their programs.
            ready: report.ready && report.generation == description.generation,
            degraded: report.degraded,
            untrusted: report.untrusted.clone(),
            holding: report.untrusted,
            trial: decided.trial.as_ref().map(Trial::from),
            last_trial: decided.last_trial.as_ref().map(EndedTrial::from),
            held: frozen.clone(),
            frozen,
            panic: decided.panic.as_ref().map(Panic::from),
            directory_changed: report.directory_changed,
            store: report.store.as_ref().map(Store::from),
            daemon,
            problems: report.problems.iter().map(Problem::from).collect(),
            resources: description.resources.into_iter().collect(),
            tables: tables.iter().map(Table::from).collect(),
            local_in: LocalIn::from(&local_in),
        }
    }
}

#[cfg(test)]
mod tests;
