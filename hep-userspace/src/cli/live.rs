//! The policy in force, reassembled from the pinned maps and the state directory.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use hep_common::settings::{
    FLAG_DENY_EVENTS, FLAG_ND_EXEMPT, FLAG_RA_EXEMPT, FLAG_REVALIDATE, Settings,
};

use super::{Instance, output::complain};
use crate::{
    compile::{Description, EndpointDescription},
    daemon::{panic_mode, state},
    datapath::Maps,
    model::{HostEndpoint, InterfaceMatch, Metadata, Position, Snapshot},
    reference,
    source::Unit,
};

/// The policy in force: the files that were loaded last, and the options of `hep run` in effect.
pub(super) struct Live {
    /// The instance's pinned maps.
    pub(super) maps: Maps,
    /// The policy files as the state directory keeps them.
    pub(super) files: Vec<Unit>,
    /// The description of the generation compiled from them.
    pub(super) description: Description,
    settings: Settings,
    /// Whether a panic is on: only failsafes and established flows pass, whatever the files say.
    is_panic: bool,
}

impl Live {
    /// Reads the maps and the state directory of an instance; its daemon need not run.
    ///
    /// # Errors
    ///
    /// If nothing is in force, or the state directory holds no policy.
    pub(super) fn read(instance: &Instance) -> Result<Self> {
        let maps = Maps::open(&instance.bpffs)?;
        let description = maps.description()?;
        let settings = maps.settings()?;
        let state_dir = &instance.state_dir;
        let files = state::in_force(state_dir)?.with_context(|| {
            format!("{} holds no policy; name --state-dir", state_dir.display())
        })?;
        let is_panic = state::read_journal(state_dir)?.panic.is_some();
        Ok(Self {
            is_panic,
            maps,
            files,
            description,
            settings,
        })
    }

    /// The options of `hep run` that the reference evaluator needs.
    pub(super) fn options(&self) -> reference::Options {
        reference::Options {
            nd_exempt: self.has(FLAG_ND_EXEMPT),
            ra_exempt: self.has(FLAG_RA_EXEMPT),
            bypass_mark: self.settings.bypass_mark,
            ..reference::Options::default()
        }
    }

    /// Whether established flows are judged again when the policy changes.
    pub(super) fn revalidates(&self) -> bool {
        self.has(FLAG_REVALIDATE)
    }

    /// Whether denied packets are reported.
    pub(super) fn reports_denials(&self) -> bool {
        self.has(FLAG_DENY_EVENTS)
    }

    const fn has(&self, flag: u32) -> bool {
        self.settings.flags & flag != 0
    }

    /// The snapshot as the daemon would enforce it now: with the generated endpoints, unless a written one
    /// of the same name replaces them; during a panic with failsafes only.
    pub(super) fn complete(&self, mut snapshot: Snapshot) -> Snapshot {
        let node = &self.description.node;
        if self.is_panic {
            complain("panic: only failsafes and established flows pass until `hep resume`");
            return panic_mode::restrict(snapshot, node);
        }
        for endpoint in (self.description.endpoints.iter()).filter(|endpoint| endpoint.generated) {
            let written = &snapshot.endpoints;
            let place =
                written.binary_search_by(|written| (*written.metadata.name).cmp(&*endpoint.name));
            if let Err(place) = place {
                let endpoint = self.host_endpoint(endpoint);
                snapshot.endpoints.insert(place, endpoint);
            }
        }
        snapshot
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
        }
    }
}
