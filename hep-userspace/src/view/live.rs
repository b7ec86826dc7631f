//! The policy in force, reassembled from the pinned maps and the state directory.

use std::{path::PathBuf, sync::Arc};

use hep_common::settings::{
    FLAG_DENY_EVENTS, FLAG_ND_EXEMPT, FLAG_RA_EXEMPT, FLAG_REVALIDATE, Settings,
};

use super::Instance;
use crate::{
    compile::{Description, EndpointDescription},
    daemon::{
        effective,
        state::{self, StateError},
    },
    datapath::{KernelError, Maps},
    model::{Behaviour, HostEndpoint, InterfaceMatch, Metadata, Position, Snapshot},
    reference,
    source::Unit,
};

/// Reason why the policy in force cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The pinned maps cannot be read, or nothing is in force.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The state directory cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state directory is that of another instance, or empty.
    #[error("{} holds no policy; name --state-dir", .0.display())]
    NoPolicy(PathBuf),
}

/// The policy in force: the files that were loaded last, and the options of `hep run` in effect.
#[derive(Debug)]
pub struct Live {
    /// The instance's pinned maps.
    pub maps: Maps,
    /// The policy files as the state directory keeps them.
    pub files: Vec<Unit>,
    /// The description of the generation compiled from them.
    pub description: Description,
    settings: Settings,
    /// Whether a panic is on: only failsafes and established flows pass, whatever the files say.
    is_panic: bool,
}

impl Live {
    /// Reads the maps and the state directory of an instance; its daemon need not run.
    ///
    /// # Errors
    ///
    /// [`LiveError`] if nothing is in force, or the state directory holds no policy.
    pub fn read(instance: Instance<'_>) -> Result<Self, LiveError> {
        let maps = Maps::open(instance.bpffs)?;
        let description = maps.description()?;
        let settings = maps.settings()?;
        let state_dir = instance.state_dir;
        // One reading, so that the files and the panic are of one moment.
        let journal = state::read_journal(state_dir)?;
        let head = journal.head();
        let head = head.ok_or_else(|| LiveError::NoPolicy(state_dir.to_path_buf()))?;
        Ok(Self {
            is_panic: journal.mode.panic().is_some(),
            files: state::policy(state_dir, head)?.files,
            maps,
            description,
            settings,
        })
    }

    /// Whether a panic is on: only failsafes and established flows pass, whatever the files say.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }

    /// How the daemon treats packets and flows beyond the policy.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        Behaviour {
            revalidate: self.has(FLAG_REVALIDATE),
            nd_exempt: self.has(FLAG_ND_EXEMPT),
            ra_exempt: self.has(FLAG_RA_EXEMPT),
            bypass_mark: self.settings.bypass_mark,
            deny_events: self.has(FLAG_DENY_EVENTS),
        }
    }

    /// The options of `hep run` that the reference evaluator needs.
    #[must_use]
    pub fn options(&self) -> reference::Options {
        reference::Options {
            behaviour: self.behaviour(),
            any_icmp: false,
        }
    }

    const fn has(&self, flag: u32) -> bool {
        self.settings.flags & flag != 0
    }

    /// The snapshot as the daemon would enforce it now: with the generated endpoint, unless a written one of
    /// the same name replaces it; during a panic with failsafes only.
    #[must_use]
    pub fn complete(&self, snapshot: &Snapshot) -> Snapshot {
        let mut endpoints = self.description.endpoints.iter();
        let generated = endpoints.find(|endpoint| endpoint.generated && !self.is_panic);
        let generated = generated.map(|endpoint| self.host_endpoint(endpoint));
        let node = &self.description.node;
        effective::snapshot_with(snapshot, node, generated, self.is_panic).into_owned()
    }

    fn host_endpoint(&self, endpoint: &EndpointDescription) -> HostEndpoint {
        HostEndpoint {
            metadata: Metadata {
                name: Arc::from(endpoint.name.as_str()),
                labels: endpoint.labels.clone(),
                annotations: Default::default(),
                position: Position::built_in(),
            },
            node: Arc::from(self.description.node.as_str()),
            interface: match endpoint.interface_name.as_str() {
                "" => InterfaceMatch::ByAddress,
                "*" => InterfaceMatch::All,
                name => InterfaceMatch::Named(Arc::from(name)),
            },
            expected_ips: endpoint.expected_ips.iter().copied().collect(),
            profiles: endpoint
                .profiles
                .iter()
                .map(|name| Arc::from(name.as_str()))
                .collect(),
            ports: Vec::new(),
            generated: true,
            closed: false,
        }
    }
}
