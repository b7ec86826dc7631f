//! Tracks the host's name as the node's name, unless the operator set one.

use super::{
    super::{identity, summary::chain},
    Daemon,
};
use crate::model::{NodeName, Snapshot};

impl Daemon {
    /// The host's name, if it differs from the node's and the node should take it for this policy: an
    /// endpoint names it, or none names the node, so that no endpoint is lost (spec EV-266).
    pub(super) fn new_name(&self, snapshot: &Snapshot) -> Option<NodeName> {
        if !self.options.follows_host {
            return None;
        }
        let host = identity::host_name();
        let is_named = |name: &NodeName| {
            let mut endpoints = snapshot.endpoints.iter();
            endpoints.any(|endpoint| *endpoint.node == **name)
        };
        let is_wanted = host != self.node.name && (is_named(&host) || !is_named(&self.node.name));
        is_wanted.then_some(host)
    }

    /// Checks the host's name; the node takes it if that removes nothing that is in force.
    pub(super) async fn look_at_name(&mut self) {
        if !self.options.follows_host {
            return;
        }
        let host = identity::host_name();
        let is_other = host != self.node.name;
        let told = is_other.then(|| host.to_string());
        if self.report.lock().host_name == told {
            return;
        }
        let name = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| self.new_name(snapshot));
        if name.is_some() {
            self.judge_again().await;
        }
        if host != self.node.name {
            log::warn!(
                "the host is called {host}, which no HostEndpoint names; the policy of {} stays in \
                 force until one does",
                self.node.name
            );
        }
        let told = (host != self.node.name).then(|| host.to_string());
        self.report.lock().host_name = told;
    }

    /// Applies the policy in force again, for the host's present name.
    async fn judge_again(&mut self) {
        let journal = self.state.journal();
        let entry = journal.in_force.and_then(|number| journal.entry(number));
        let Some(entry) = entry.cloned() else {
            return;
        };
        let _is_back = self.bring_back(&entry).await;
    }

    /// Sets the node's name, in the journal and the report, too.
    pub(super) fn rename(&mut self, name: NodeName) {
        if name == self.node.name {
            return;
        }
        log::info!("this node is {name} now, and was {}", self.node.name);
        self.node.name = name.clone();
        self.report.lock().node = name.to_string();
        let kept = self.state.update(|journal| {
            if let Some(settings) = &mut journal.settings {
                settings.node = name;
            }
        });
        if let Err(error) = kept {
            log::error!("keep the node's name: {}", chain(&error));
        }
    }
}
