//! Checks, before a policy comes into force, whether it would cut an administrator's SSH session.

use std::{net::IpAddr, sync::Arc};

use hep_common::{Direction, protocol};

use super::ssh::Session;
use crate::{
    model::{Interface, Snapshot},
    reference::{Decider, Framing, Judgement, Options, Packet, Ports, Reference, Stage, tcp_flags},
};

/// The policy to check, as it would be enforced.
pub(super) struct Preflight<'a> {
    reference: Reference<'a>,
    revalidate: bool,
}

impl<'a> Preflight<'a> {
    /// Prepares to check `snapshot`, completed by the generated endpoint, on this node and its interfaces.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        node: &str,
        interfaces: &'a [Interface],
        options: Options,
    ) -> Self {
        Self {
            reference: Reference::new(snapshot, node, interfaces, options),
            revalidate: options.behaviour.revalidate,
        }
    }

    /// The objection to the policy on behalf of this host's own connection to its store, if any (spec
    /// DS-320).
    pub(super) fn store_objection(
        &self,
        local: (IpAddr, u16),
        store: (IpAddr, u16),
        interface: &str,
    ) -> Option<String> {
        let opening = packet(Direction::Egress, interface, local, store, tcp_flags::SYN);
        let answer = packet(Direction::Ingress, interface, store, local, tcp_flags::ACK);
        let way_out = self.reference.judge(&opening);
        let way_back = self.reference.judge(&answer);
        let is_cut = |judgement: &Judgement<'_>, is_judged: bool| !judgement.allows() && is_judged;
        let back_is_judged = is_untracked(&way_out) || is_untracked(&way_back);
        let judgement = if is_cut(&way_out, true) {
            way_out
        } else if is_cut(&way_back, back_is_judged) {
            way_back
        } else {
            return None;
        };
        Some(format!(
            "it would cut this host from its store at {} on {interface}: {} by {}",
            end(store),
            judgement.reason.name(),
            judgement.place(),
        ))
    }

    /// The objection to the policy on behalf of a session over `interface`, if any.
    ///
    /// With `revalidate` the session is judged as its opener's packet was: a policy that refuses a new
    /// connection from there cuts this one, too. With `keep` the session continues, but cannot be opened
    /// again once it has ended. Untracked policies have no flows: they judge each packet of the session,
    /// in both directions.
    pub(super) fn objection(
        &self,
        session: &Session,
        interface: &str,
        whose: &str,
    ) -> Option<String> {
        let (peer, local) = (session.peer, session.local);
        let opening = packet(Direction::Ingress, interface, peer, local, tcp_flags::SYN);
        let coming = packet(Direction::Ingress, interface, peer, local, tcp_flags::ACK);
        let going = packet(Direction::Egress, interface, local, peer, tcp_flags::ACK);
        let way_in = self.reference.judge(&opening);
        let way_on = self.reference.judge(&coming);
        let way_out = self.reference.judge(&going);
        // A packet that an untracked policy accepts creates no flow that would let the answer pass.
        let is_stateless = is_untracked(&way_in);
        let cut = if !way_in.allows() && (self.revalidate || is_untracked(&way_in)) {
            Some(("cut", &way_in))
        } else if !way_on.allows() && is_untracked(&way_on) {
            Some(("cut", &way_on))
        } else if !way_out.allows() && (is_stateless || is_untracked(&way_out)) {
            Some(("cut what is sent to", &way_out))
        } else if !way_in.allows() {
            Some(("not let in again, once it ended,", &way_in))
        } else {
            None
        };
        cut.map(|(what, judgement)| {
            format!(
                "it would {what} {whose} from {} to {} on {interface}: {} by {}",
                end(peer),
                end(local),
                judgement.reason.name(),
                judgement.place(),
            )
        })
    }
}

fn packet(
    direction: Direction,
    interface: &str,
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    tcp_flags: u8,
) -> Packet {
    Packet {
        direction,
        interface: Arc::from(interface),
        forwarded: false,
        source: source.0,
        destination: destination.0,
        protocol: protocol::TCP,
        ports: Some(Ports {
            source: source.1,
            destination: destination.1,
        }),
        icmp: None,
        tcp_flags,
        sctp_chunk: 0,
        hop_limit: 64,
        mark: 0,
        framing: Framing::default(),
        fragmented: false,
    }
}

fn is_untracked(judgement: &Judgement<'_>) -> bool {
    match judgement.decider {
        Decider::Rule(here) => here.stage == Stage::Untracked,
        Decider::EndOfTier(stage, _) => stage == Stage::Untracked,
        Decider::Pipeline
        | Decider::Failsafe(..)
        | Decider::NoProfile
        | Decider::ForwardDefault
        | Decider::EndpointToHost(_)
        | Decider::Workload => false,
    }
}

/// Formats an address and port: `192.0.2.1:22`, `[2001:db8::1]:22`.
pub(super) fn end((address, port): (IpAddr, u16)) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
