//! Would a policy cut the administrator off? Asked before it comes into force.

use std::{net::IpAddr, sync::Arc};

use hep_common::{Direction, protocol};

use super::ssh::Session;
use crate::{
    model::{Interface, Snapshot},
    reference::{Decider, Framing, Judgement, Options, Packet, Ports, Reference, Stage, tcp_flags},
};

/// The policy to ask, as it would be enforced.
pub(super) struct Preflight<'a> {
    reference: Reference<'a>,
    revalidate: bool,
}

impl<'a> Preflight<'a> {
    /// Asks `snapshot`, completed by what no file holds, on this node and its interfaces.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        node: &str,
        interfaces: &'a [Interface],
        options: Options,
        revalidate: bool,
    ) -> Self {
        Self {
            reference: Reference::new(snapshot, node, interfaces, options),
            revalidate,
        }
    }

    /// What speaks against the policy from the view of a session over `interface`, if anything.
    ///
    /// With `revalidate` the session is judged as its opener's packet was: what refuses a new
    /// connection from there cuts this one, too. With `keep` it goes on, but there is no way back in
    /// once it ended. Untracked policies do not know flows: they judge each packet of the session,
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
        // What an untracked policy accepts has no flow that would let the answer pass.
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

/// `192.0.2.1:22`, `[2001:db8::1]:22`.
pub(super) fn end((address, port): (IpAddr, u16)) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
