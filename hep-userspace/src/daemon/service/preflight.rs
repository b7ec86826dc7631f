//! The preflight of a policy: its effect on administrators' sessions.

use super::{
    super::{
        control::Caller,
        preflight::Preflight,
        ssh::{Session, Ssh},
    },
    daemon::Daemon,
};
use crate::{model::Snapshot, reference};

impl Daemon {
    /// Checks the effect of a policy on administrators' sessions: warnings, or reasons to refuse it.
    ///
    /// An objection for the caller's own session refuses the policy. Other connections to an SSH server only
    /// cause warnings if the caller's is known, since anybody who guesses passwords can hold one open; if it
    /// is not known, each of them may be the caller's, and refuses.
    pub(super) async fn preflight(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
    ) -> Result<Vec<String>, Vec<String>> {
        let ssh = Ssh::now();
        let own = ssh.session_of(caller);
        let completed = self.enforcer.reconciler.completed(snapshot);
        let interfaces = &self.enforcer.reconciler.network().interfaces;
        let options = reference::Options {
            behaviour: self.options.behaviour,
            any_icmp: false,
        };
        let preflight = Preflight::new(&completed, &self.follower.node.name, interfaces, options);
        let is_own = |session: &Session| {
            let own = own.as_ref();
            own.is_some_and(|own| (own.peer, own.local) == (session.peer, session.local))
        };
        let mut others = ssh.sessions.clone();
        others.retain(|session| !is_own(session));
        let (mut refusals, mut warnings) = (Vec::new(), Vec::new());
        if let Some(session) = &own {
            let interface = self.interface_of(session).await;
            refusals.extend(preflight.objection(session, &interface, "your SSH session"));
        }
        for session in &others {
            let interface = self.interface_of(session).await;
            let objection = preflight.objection(session, &interface, "the SSH session");
            if own.is_some() {
                warnings.extend(objection);
            } else {
                refusals.extend(objection);
            }
        }
        if caller.force {
            refusals.append(&mut warnings);
            Ok(refusals)
        } else if refusals.is_empty() {
            Ok(warnings)
        } else {
            Err(refusals)
        }
    }

    /// Name of the interface that a session uses.
    async fn interface_of(&self, session: &Session) -> String {
        let towards = self.network.interface_towards(session.peer.0).await;
        let interfaces = &self.enforcer.reconciler.network().interfaces;
        let by_route = interfaces.iter().find(|it| Some(it.ifindex) == towards);
        let by_address = || {
            let mut all = interfaces.iter();
            all.find(|interface| interface.addresses.contains(&session.local.0))
        };
        by_route
            .or_else(by_address)
            .map_or_else(String::new, |interface| interface.name.to_string())
    }
}
