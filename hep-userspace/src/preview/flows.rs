//! Which of the flows that pass now a snapshot would cut, and by which rule (spec EV-160).

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hep_common::{Direction, Family, conntrack::ANY_INTERFACE, protocol};
use serde::Serialize;

use crate::{
    compile::{Generation, Headers, judge},
    datapath::{End, Flow},
    model::{Interface, Snapshot},
    reference::{
        Framing, IcmpHeader, Options, Packet, Place, Ports, Reference, sctp_chunk, tcp_flags,
    },
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

/// Judges flows by a policy as the programs would once it is in force: by its tables, so that a flow
/// costs what a packet costs. The rules are walked once for each that cuts any.
pub struct FlowJudge<'a> {
    generation: &'a Generation,
    reference: Reference<'a>,
    interfaces: &'a [Interface],
    by_index: BTreeMap<u32, &'a Interface>,
    revalidates: bool,
    /// Where verdicts are given.
    places: RefCell<HashMap<Verdict, Place>>,
}

/// Key of cached places: counter slot of the rule, untracked, forwarded, family.
type Verdict = (u32, bool, bool, Family);

impl<'a> FlowJudge<'a> {
    /// A judge for the host `node`, by a `generation` that was compiled of `snapshot` for these
    /// interfaces; unless flows are judged again, established flows outlive a change of policy, and only
    /// untracked rules can cut them.
    #[must_use]
    pub fn new(
        (snapshot, generation): (&'a Snapshot, &'a Generation),
        node: &str,
        interfaces: &'a [Interface],
        options: Options,
    ) -> Self {
        Self {
            generation,
            reference: Reference::new(
                snapshot,
                node,
                interfaces,
                Options {
                    any_icmp: true, // The flow is known, whatever opened it.
                    ..options
                },
            ),
            interfaces,
            by_index: interfaces.iter().map(|it| (it.ifindex, it)).collect(),
            revalidates: options.behaviour.revalidate,
            places: RefCell::default(),
        }
    }

    /// The reason why a load would cut a flow; `None` if it would not, or if the flow is already blocked.
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
                let [there, back] = packets(flow, hook, &interface.name, forwarded);
                self.denied(interface, there, self.revalidates)
                    .or_else(|| self.denied(interface, back, false))
            })
    }

    /// The interface that approved. A flow from before the first attach has none until its next
    /// packet, which shows at the interface with its address on this host.
    fn interface(&self, flow: &Flow, hook: Direction, ifindex: u32) -> Option<&'a Interface> {
        if ifindex != ANY_INTERFACE {
            return self.by_index.get(&ifindex).copied();
        }
        let own = match hook {
            Direction::Ingress => flow.responder.address,
            Direction::Egress => flow.opener.address,
        };
        self.interfaces
            .iter()
            .find(|interface| interface.addresses.contains(&own))
    }

    /// Whether policy denies the packet; unless `by_all`, only rules before connection tracking count.
    fn denied(&self, interface: &Interface, packet: Packet, by_all: bool) -> Option<Cut> {
        let headers = Headers {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            ports: packet.ports.map(|ports| (ports.source, ports.destination)),
            icmp: packet.icmp.map(|icmp| (icmp.icmp_type, icmp.code)),
        };
        let (direction, forwarded) = (packet.direction, packet.forwarded);
        let (ifindex, generation) = (interface.ifindex, self.generation);
        let outcome = judge(generation, ifindex, direction, forwarded, &headers);
        let counts = by_all || outcome.is_untracked;
        if outcome.reason.allows() || !counts {
            return None;
        }
        let family = if packet.source.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        let verdict = (outcome.slot, outcome.is_untracked, forwarded, family);
        let mut places = self.places.borrow_mut();
        let place = places
            .entry(verdict)
            .or_insert_with(|| self.reference.judge(&packet).place());
        Some(Cut {
            packet: packet.to_string(),
            interface: packet.interface.to_string(),
            direction: match direction {
                Direction::Ingress => "ingress",
                Direction::Egress => "egress",
            },
            forwarded,
            reason: outcome.reason.name(),
            place: place.clone(),
        })
    }
}

/// A packet of each end of the flow, as it would open one.
fn packets(flow: &Flow, hook: Direction, interface: &Arc<str>, forwarded: bool) -> [Packet; 2] {
    let has_ports = protocol::is_keyed_by_ports(flow.protocol);
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
        sctp_chunk: sctp_chunk::INIT,
        hop_limit: 64,
        mark: 0,
        framing: Framing::default(),
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
