//! The policy that is in force, put together from what the daemon keeps.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use hep_common::settings;

use super::Instance;
use crate::{
    compile::EndpointDescription,
    daemon::state,
    datapath::Maps,
    model::{HostEndpoint, InterfaceMatch, Metadata, Position, Snapshot},
    reference::Options,
    source::File,
};

/// What is in force: the files that were loaded last, and what `hep run` was told beside them.
pub(super) struct Live {
    /// The files.
    pub(super) files: Vec<File>,
    /// This host's name.
    pub(super) node: String,
    /// Options of `hep run`.
    pub(super) options: Options,
    /// Endpoints that the daemon made.
    generated: Vec<EndpointDescription>,
}

impl Live {
    /// Reads the maps and the state directory of an instance; its daemon need not run.
    ///
    /// # Errors
    ///
    /// If nothing is in force, or the daemon has kept no files.
    pub(super) fn read(instance: &Instance) -> Result<Self> {
        let maps = Maps::open(&instance.bpffs)?;
        let description = maps.description()?;
        let settings = maps.settings()?;
        Ok(Self {
            files: files(&instance.state_dir)?,
            node: description.node,
            options: Options {
                nd_exempt: settings.flags & settings::FLAG_ND_EXEMPT != 0,
                bypass_mark: settings.bypass_mark,
            },
            generated: description
                .endpoints
                .into_iter()
                .filter(|endpoint| endpoint.generated)
                .collect(),
        })
    }

    /// Adds the endpoints that no file holds.
    pub(super) fn complete(&self, snapshot: &mut Snapshot) {
        let generated = self.generated.iter().map(|endpoint| HostEndpoint {
            metadata: Metadata {
                name: Arc::from(endpoint.name.as_str()),
                labels: endpoint.labels.clone(),
                annotations: Default::default(),
                position: Position::built_in(),
            },
            node: Arc::from(self.node.as_str()),
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
        });
        snapshot.endpoints.extend(generated);
    }
}

fn files(state_dir: &Path) -> Result<Vec<File>> {
    state::last_good(state_dir)?
        .ok_or_else(|| anyhow::anyhow!("{} holds no policy; name --state-dir", state_dir.display()))
}
