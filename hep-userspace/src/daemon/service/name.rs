//! Tracks the host's name as the node's name, unless the operator set one.

use super::{super::summary::chain, daemon::Daemon};
use crate::model::NodeName;

impl Daemon {
    /// Checks the host's name; the node takes it if that removes nothing that is in force.
    pub(super) async fn refresh_name(&mut self) {
        let name = |host: Option<NodeName>| host.map(|host| host.to_string());
        let other = name(self.follower.other_host_name());
        if self.reporter.report.lock().host_name == other {
            return;
        }
        let snapshot = self.enforcer.snapshot.as_ref();
        if snapshot.is_some_and(|snapshot| self.follower.new_name(snapshot).is_some()) {
            self.judge_again().await;
        }
        let other = self.follower.other_host_name();
        if let Some(host) = &other {
            log::warn!(
                "the host is called {host}, which no HostEndpoint names; the policy of {} stays in \
                 force until one does",
                self.follower.node.name
            );
        }
        self.reporter
            .update(|report| report.host_name = name(other));
    }

    /// Applies the policy in force again, for the host's present name.
    async fn judge_again(&mut self) {
        if let Some(entry) = self.state.journal().head().cloned() {
            let _is_back = self.bring_back(&entry).await;
        }
    }

    /// Sets the node's name, in the journal and the report, too.
    pub(super) fn rename(&mut self, name: NodeName) {
        if name == self.follower.node.name {
            return;
        }
        log::info!(
            "this node is {name} now, and was {}",
            self.follower.node.name
        );
        self.follower.node.name = name.clone();
        self.reporter
            .update(|report| report.node = name.to_string());
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
