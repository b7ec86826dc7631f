//! The preflight of a policy: its effect on administrators' sessions.

use std::net::IpAddr;

use hep_common::protocol;

use super::{
    super::{
        control::Caller,
        preflight::Preflight,
        sockets::{self, Socket},
        ssh::{Session, Ssh},
    },
    daemon::Daemon,
};
use crate::{
    model::{FelixConfiguration, Snapshot},
    reference,
};

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
            let interface = self.interface_of(session.peer.0, session.local.0).await;
            refusals.extend(preflight.objection(session, &interface, "your SSH session"));
        }
        for session in &others {
            let interface = self.interface_of(session.peer.0, session.local.0).await;
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

    /// The objection to a policy on behalf of this host's own connections to its store, if any.
    pub(super) async fn store_objection(&self, snapshot: &Snapshot) -> Option<String> {
        let mut connections = sockets::own_connections();
        // What a failsafe covers, no policy cuts.
        connections.retain(|socket| !is_failsafe(&snapshot.felix, socket.remote));
        if connections.is_empty() {
            return None;
        }
        let completed = self.enforcer.reconciler.completed(snapshot);
        let interfaces = &self.enforcer.reconciler.network().interfaces;
        let options = reference::Options {
            behaviour: self.options.behaviour,
            any_icmp: false,
        };
        let preflight = Preflight::new(&completed, &self.follower.node.name, interfaces, options);
        for Socket { local, remote, .. } in connections {
            let interface = self.interface_of(remote.0, local.0).await;
            if let Some(objection) = preflight.store_objection(local, remote, &interface) {
                return Some(objection);
            }
        }
        None
    }

    /// Name of the interface of a connection.
    async fn interface_of(&self, peer: IpAddr, local: IpAddr) -> String {
        let towards = self.network.interface_towards(peer).await;
        let interfaces = &self.enforcer.reconciler.network().interfaces;
        let by_route = interfaces.iter().find(|it| Some(it.ifindex) == towards);
        let by_address = || {
            let mut all = interfaces.iter();
            all.find(|interface| interface.addresses.contains(&local))
        };
        by_route
            .or_else(by_address)
            .map_or_else(String::new, |interface| interface.name.to_string())
    }
}

/// Whether an outbound failsafe covers TCP to this place.
fn is_failsafe(felix: &FelixConfiguration, (address, port): (IpAddr, u16)) -> bool {
    felix.failsafe_outbound.iter().any(|entry| {
        let is_near = entry.net.is_none_or(|net| net.contains(address));
        entry.protocol.number == protocol::TCP && entry.port == port && is_near
    })
}
