//! Which of the flows that pass now a snapshot would cut, and by which rule (spec EV-160).

use std::{collections::BTreeMap, sync::Arc};

use hep_common::{Direction, conntrack::ANY_INTERFACE, counter::Reason, protocol};
use serde::Serialize;

use crate::{
    datapath::{End, Flow},
    model::{Interface, Snapshot},
    reference::{IcmpHeader, Options, Packet, Place, Ports, Reference, Stage, tcp_flags},
};

/// Types of echo requests and replies.
const ICMP_ECHO: u8 = 8;
const ICMP_ECHO_REPLY: u8 = 0;
const ICMPV6_ECHO: u8 = 128;
const ICMPV6_ECHO_REPLY: u8 = 129;

/// A flow that would be cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The packet that is judged.
    pub packet: String,
    /// Interface at which it is denied.
    pub interface: String,
    /// `ingress` or `egress`.
    pub direction: &'static str,
    /// It is routed through this host.
    pub forwarded: bool,
    /// Name of the reason.
    pub reason: &'static str,
    /// The rule or default that denies.
    #[serde(flatten)]
    pub place: Place,
}

/// Judges flows by a snapshot as the programs would once it is in force.
pub struct FlowJudge<'a> {
    reference: Reference<'a>,
    interfaces: &'a [Interface],
    names: BTreeMap<u32, Arc<str>>,
    revalidates: bool,
}

impl<'a> FlowJudge<'a> {
    /// A judge for the host `node`; unless `revalidates`, established flows outlive a change of
    /// policy, and only untracked rules can cut them.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        node: &str,
        interfaces: &'a [Interface],
        options: Options,
        revalidates: bool,
    ) -> Self {
        Self {
            reference: Reference::new(snapshot, node, interfaces, options),
            interfaces,
            names: interfaces
                .iter()
                .map(|interface| (interface.ifindex, Arc::clone(&interface.name)))
                .collect(),
            revalidates,
        }
    }

    /// What would cut a flow; nothing if it goes on, or is cut already.
    #[must_use]
    pub fn cut(&self, flow: &Flow) -> Option<Cut> {
        if flow.is_blocked {
            return None;
        }
        [Direction::Ingress, Direction::Egress]
            .into_iter()
            .zip(flow.approvals)
            .zip(flow.judged_forward)
            .filter_map(|((hook, approval), forwarded)| {
                let interface = self.interface(flow, hook, approval?.ifindex)?;
                Some((hook, interface, forwarded))
            })
            .find_map(|(hook, interface, forwarded)| {
                let [there, back] = packets(flow, hook, &interface, forwarded);
                self.denied(there, self.revalidates)
                    .or_else(|| self.denied(back, false))
            })
    }

    /// The name of the interface that approved. A flow from before the first attach has none until
    /// its next packet, which shows at the interface with its address on this host.
    fn interface(&self, flow: &Flow, hook: Direction, ifindex: u32) -> Option<Arc<str>> {
        if ifindex != ANY_INTERFACE {
            return self.names.get(&ifindex).cloned();
        }
        let own = match hook {
            Direction::Ingress => flow.responder.address,
            Direction::Egress => flow.opener.address,
        };
        self.interfaces
            .iter()
            .find(|interface| interface.addresses.contains(&own))
            .map(|interface| Arc::clone(&interface.name))
    }

    /// Whether policy denies the packet; unless `by_all`, only rules before connection tracking count.
    fn denied(&self, packet: Packet, by_all: bool) -> Option<Cut> {
        let judgement = self.reference.judge(&packet);
        let place = judgement.place();
        let counts = by_all || place.stage == Stage::Untracked.name();
        (!judgement.allows() && counts).then(|| Cut {
            packet: packet.to_string(),
            interface: packet.interface.to_string(),
            direction: match packet.direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            },
            forwarded: packet.forwarded,
            reason: Reason::name(judgement.reason),
            place,
        })
    }
}

/// A packet of each end of the flow, as it would open one.
fn packets(flow: &Flow, hook: Direction, interface: &Arc<str>, forwarded: bool) -> [Packet; 2] {
    let has_ports = matches!(
        flow.protocol,
        protocol::TCP | protocol::UDP | protocol::SCTP
    );
    let is_icmp = matches!(flow.protocol, protocol::ICMP | protocol::ICMPV6);
    let packet = |from: &End, to: &End, direction, icmp_type| Packet {
        direction,
        interface: Arc::clone(interface),
        forwarded,
        source: from.address,
        destination: to.address,
        protocol: flow.protocol,
        ports: has_ports.then_some(Ports {
            source: from.port,
            destination: to.port,
        }),
        icmp: is_icmp.then_some(IcmpHeader { icmp_type, code: 0 }),
        tcp_flags: if flow.protocol == protocol::TCP {
            tcp_flags::SYN
        } else {
            0
        },
        hop_limit: 64,
        mark: 0,
        fragmented: false,
    };
    let back = match hook {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    let reply = match flow.icmp_type {
        ICMP_ECHO => ICMP_ECHO_REPLY,
        ICMPV6_ECHO => ICMPV6_ECHO_REPLY,
        // Requests of the other kinds are followed by their replies.
        request => request.wrapping_add(1),
    };
    let (opener, responder) = (&flow.opener, &flow.responder);
    [
        packet(opener, responder, hook, flow.icmp_type),
        packet(responder, opener, back, reply),
    ]
}
