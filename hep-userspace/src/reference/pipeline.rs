//! The steps that a packet takes (section 1 of the specification).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use hep_common::{Direction, counter::Reason, protocol};

use super::{
    binding::{self, Role},
    judgement::{Decider, Judgement, Stage, Step},
    objects::Objects,
    packet::{Packet, sctp_chunk, tcp_flags},
    plan::{List, Plan},
    walk::{Decision, Walker},
};
use crate::model::{
    Conf, EndpointToHostAction, FailsafePort, Interface, IpFamily, ReversePath, Snapshot,
};

/// Inputs besides the resources that change verdicts: options of `hep run`, and why a packet is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Neighbour discovery and multicast listener traffic passes (EV-172).
    pub nd_exempt: bool,
    /// Of these, accept router advertisements.
    pub ra_exempt: bool,
    /// The skb mark bit of forwarded packets that were accepted untracked (EV-080); 0: none.
    pub bypass_mark: u32,
    /// Policy judges ICMP messages of any type but errors and redirects, as if each belonged to a flow or
    /// opened one (EV-171).
    pub any_icmp: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nd_exempt: true,
            ra_exempt: true,
            bypass_mark: 0,
            any_icmp: false,
        }
    }
}

/// An interface with what its packets are judged by.
struct Policed<'a> {
    role: Role<'a>,
    plan: Option<Plan<'a>>,
    /// A port of a bridge, bond or team.
    is_member: bool,
    conf: Conf,
}

/// The evaluator for one snapshot on one host.
pub struct Reference<'a> {
    snapshot: &'a Snapshot,
    options: Options,
    objects: Objects<'a>,
    interfaces: BTreeMap<Arc<str>, Policed<'a>>,
    /// This host's own addresses.
    own: BTreeSet<IpAddr>,
}

impl<'a> Reference<'a> {
    /// Binds the endpoints of `node` to `interfaces`.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        node: &str,
        interfaces: &'a [Interface],
        options: Options,
    ) -> Self {
        let policed = |interface: &'a Interface| {
            let role = binding::role(snapshot, node, interface);
            let plan = match role {
                Role::Unpoliced => None,
                Role::Endpoint(endpoint) | Role::Workload(endpoint) => {
                    Some(Plan::new(snapshot, endpoint))
                }
            };
            Policed {
                role,
                plan,
                is_member: interface.is_member,
                conf: interface.conf,
            }
        };
        Self {
            snapshot,
            options,
            objects: Objects::new(snapshot),
            own: interfaces
                .iter()
                .flat_map(|interface| interface.addresses.iter().copied())
                .collect(),
            interfaces: interfaces
                .iter()
                .map(|interface| (Arc::clone(&interface.name), policed(interface)))
                .collect(),
        }
    }

    /// How policy applies to `interface`; `Unpoliced` if there is none of that name.
    #[must_use]
    pub fn role(&self, interface: &str) -> Role<'a> {
        self.interfaces
            .get(interface)
            .map_or(Role::Unpoliced, |policed| policed.role)
    }

    /// Judges the first packet of a new flow.
    #[must_use]
    pub fn judge(&self, packet: &Packet) -> Judgement<'a> {
        let mut walker = Walker {
            objects: &self.objects,
            packet,
            record: Judgement {
                reason: Reason::Internal,
                decider: Decider::Pipeline,
                logged: Vec::new(),
                staged: Vec::new(),
                trace: vec![Step::Role(self.role(&packet.interface))],
            },
        };
        let (reason, decider) = self.decide(&mut walker);
        Judgement {
            reason,
            decider,
            ..walker.record
        }
    }

    /// EV-001 and EV-002.
    fn decide(&self, walker: &mut Walker<'a, '_>) -> Decision<'a> {
        let packet = walker.packet;
        let Some(policed) = self.interfaces.get(&packet.interface) else {
            return by_pipeline(Reason::Unpoliced);
        };
        let Some(plan) = &policed.plan else {
            return by_pipeline(Reason::Unpoliced); // EV-004, EV-061
        };
        if let Some(reason) = packet.framing.link_layer() {
            return by_pipeline(reason); // EV-184, EV-258
        }
        if packet.family() == IpFamily::V6 && !self.snapshot.felix.ipv6_support {
            walker.record.trace.push(Step::Ipv6Unpoliced); // RS-157
            return by_pipeline(Reason::Unpoliced);
        }
        if let Some(reason) = packet.framing.extension_headers(packet.fragmented) {
            return by_pipeline(reason); // EV-183
        }
        if self.is_martian(packet, policed) {
            return by_pipeline(Reason::Martian); // EV-262
        }
        let forwarded = packet.forwarded;
        // EV-172: what leaves with such a hop limit was not routed.
        let is_routed = forwarded && packet.direction == Direction::Ingress && !policed.is_member;
        let is_advertisement = packet.icmp.is_some_and(|icmp| icmp.icmp_type == 134);
        let is_exempt = self.options.nd_exempt && (self.options.ra_exempt || !is_advertisement);
        if is_exempt && is_essential(packet) && !is_routed {
            return by_pipeline(Reason::Essential); // I5, E5
        }
        let is_workload = match policed.role {
            Role::Workload(_) => true,
            Role::Endpoint(_) | Role::Unpoliced => false,
        };
        if self.is_bypassed(packet, forwarded) {
            return by_pipeline(Reason::Bypass);
        }
        if !is_workload && let Some(decision) = self.untracked(walker, plan, forwarded) {
            return decision; // I7, E7
        }
        if let Some(reason) = self.invalid(packet) {
            return by_pipeline(reason); // I8, E8: it fits no flow and can open none
        }
        if is_workload && packet.direction == Direction::Egress {
            return (Reason::ToWorkload, Decider::Workload); // EV-100, EV-103
        }
        if packet.direction == Direction::Ingress
            && !is_workload
            && self.snapshot.felix.reverse_path != ReversePath::Disabled
        {
            walker.record.trace.push(Step::ReversePathUnknown); // I9
        }
        if !forwarded && !is_workload {
            // I10, E9; EV-066, EV-069.
            if let Some((direction, entry)) = self.failsafe(packet) {
                return (Reason::Failsafe, Decider::Failsafe(direction, entry));
            }
            walker.record.trace.push(Step::NoFailsafe);
        }
        if packet.direction == Direction::Ingress
            && let Some(decision) = walker.tiers(plan, List::PreDnat)
        {
            return decision; // I11; EV-090: from workloads, too
        }
        match (forwarded, is_workload) {
            (false, false) => Self::local(walker, plan),
            (true, false) => Self::forward(walker, plan),
            (false, true) => self.judge_workload(),
            (true, true) => (Reason::FromWorkload, Decider::Workload), // EV-103
        }
    }

    /// EV-080: forwarded, and exempt because it was accepted untracked where it came in.
    fn is_bypassed(&self, packet: &Packet, forwarded: bool) -> bool {
        forwarded
            && matches!(packet.direction, Direction::Egress)
            && packet.mark & self.options.bypass_mark != 0
            && self.has_untracked()
    }

    /// Any interface has untracked rules: else nothing sets the mark, and nothing reads it.
    fn has_untracked(&self) -> bool {
        let endpoints = self
            .interfaces
            .values()
            .filter(|policed| match policed.role {
                Role::Endpoint(_) => true,
                Role::Workload(_) | Role::Unpoliced => false,
            });
        let directions = [Direction::Ingress, Direction::Egress];
        let mut tiers =
            endpoints.flat_map(|policed| policed.plan.iter().flat_map(|plan| &plan.tiers));
        tiers.any(|tier| {
            directions
                .iter()
                .any(|direction| tier.policies(List::Untracked, *direction).next().is_some())
        })
    }

    /// EV-262: the kernel is sure to discard what arrives thus.
    fn is_martian(&self, packet: &Packet, policed: &Policed<'_>) -> bool {
        if packet.direction == Direction::Egress || policed.is_member {
            return false;
        }
        let conf = policed.conf;
        match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                source.is_multicast()
                    || source.is_broadcast()
                    || (!conf.routes_localnet
                        && (source.is_loopback() || destination.is_loopback()))
                    || (!conf.accepts_local
                        && !source.is_loopback()
                        && (self.own.contains(&packet.source)
                            || (!packet.forwarded && source == destination)))
            }
            (source, destination) => {
                source.is_multicast() || source.is_loopback() || destination.is_loopback()
            }
        }
    }

    /// EV-075 to EV-079: for egress only what this host sends itself; failsafe traffic of this host
    /// is exempt.
    fn untracked(
        &self,
        walker: &mut Walker<'a, '_>,
        plan: &Plan<'a>,
        forwarded: bool,
    ) -> Option<Decision<'a>> {
        let packet = walker.packet;
        if packet.direction == Direction::Egress && forwarded {
            return None;
        }
        if !forwarded
            && let Some((direction, entry)) = self
                .failsafe(packet)
                .or_else(|| self.reverse_failsafe(packet))
        {
            walker
                .record
                .trace
                .push(Step::UntrackedExempt(direction, entry));
            return None;
        }
        walker.tiers(plan, List::Untracked)
    }

    /// EV-041, EV-046, EV-048.
    fn local(walker: &mut Walker<'a, '_>, plan: &Plan<'a>) -> Decision<'a> {
        if let Some(decision) = walker.tiers(plan, List::Normal) {
            return decision;
        }
        walker.record.trace.push(Step::Enter(Stage::Profile));
        walker
            .profiles(plan)
            .unwrap_or((Reason::NoProfile, Decider::NoProfile))
    }

    /// EV-042.
    fn forward(walker: &mut Walker<'a, '_>, plan: &Plan<'a>) -> Decision<'a> {
        walker
            .tiers(plan, List::Forward)
            .unwrap_or((Reason::ForwardDefault, Decider::ForwardDefault))
    }

    /// EV-101, EV-103.
    const fn judge_workload(&self) -> Decision<'a> {
        let action = self.snapshot.felix.endpoint_to_host;
        let reason = match action {
            EndpointToHostAction::Drop => Reason::WorkloadDrop,
            EndpointToHostAction::Accept | EndpointToHostAction::Return => Reason::FromWorkload,
        };
        (reason, Decider::EndpointToHost(action))
    }

    /// Why a packet without a flow cannot open one (RS-183).
    const fn invalid(&self, packet: &Packet) -> Option<Reason> {
        if self.snapshot.felix.allow_invalid {
            return None;
        }
        match packet.protocol {
            protocol::TCP if !opens_or_continues(packet.tcp_flags) => Some(Reason::InvalidTcp),
            protocol::SCTP if !opens_association(packet.sctp_chunk) => Some(Reason::InvalidSctp),
            _ if is_about_another_flow(packet) => Some(Reason::InvalidIcmp),
            _ if !self.options.any_icmp && !may_come_first(packet) => Some(Reason::InvalidIcmp),
            _ => None,
        }
    }

    /// The failsafe entry of the packet's own direction (EV-063 to EV-065).
    fn failsafe(&self, packet: &Packet) -> Option<(Direction, &'a FailsafePort)> {
        let ports = packet.ports_for_rules()?;
        let felix = &self.snapshot.felix;
        let (list, other_end) = match packet.direction {
            Direction::Ingress => (&felix.failsafe_inbound, packet.source),
            Direction::Egress => (&felix.failsafe_outbound, packet.destination),
        };
        find(list, packet.protocol, ports.destination, other_end)
            .map(|entry| (packet.direction, entry))
    }

    /// The entry of the other direction that the packet could be a reply under (EV-068 (b)).
    fn reverse_failsafe(&self, packet: &Packet) -> Option<(Direction, &'a FailsafePort)> {
        let ports = packet.ports_for_rules()?;
        let felix = &self.snapshot.felix;
        let (direction, list, other_end) = match packet.direction {
            Direction::Ingress => (Direction::Egress, &felix.failsafe_outbound, packet.source),
            Direction::Egress => (
                Direction::Ingress,
                &felix.failsafe_inbound,
                packet.destination,
            ),
        };
        find(list, packet.protocol, ports.source, other_end).map(|entry| (direction, entry))
    }
}

const fn by_pipeline<'a>(reason: Reason) -> Decision<'a> {
    (reason, Decider::Pipeline)
}

fn find(
    list: &[FailsafePort],
    protocol: u8,
    port: u16,
    other_end: IpAddr,
) -> Option<&FailsafePort> {
    list.iter().find(|entry| {
        entry.protocol.number == protocol
            && entry.port == port
            && entry.net.is_none_or(|net| net.contains(other_end))
    })
}

/// A SYN opens a connection; a bare ACK is picked up, in the kernel's default loose mode (EV-157).
const fn opens_or_continues(flags: u8) -> bool {
    use tcp_flags::{ACK, FIN, RST, SYN};
    matches!(flags & (SYN | ACK | FIN | RST), SYN | ACK)
}

/// EV-267.
const fn opens_association(chunk: u8) -> bool {
    matches!(chunk, sctp_chunk::INIT | sctp_chunk::HEARTBEAT)
}

/// EV-170, EV-171, EV-173: errors, source quench and redirects, which belong to the flow of the packet
/// in them.
const fn is_about_another_flow(packet: &Packet) -> bool {
    match (packet.family(), packet.icmp) {
        (IpFamily::V4, Some(icmp)) => matches!(icmp.icmp_type, 3 | 4 | 5 | 11 | 12),
        (IpFamily::V6, Some(icmp)) => matches!(icmp.icmp_type, 1..=4),
        (IpFamily::V4 | IpFamily::V6, None) => false,
    }
}

/// EV-171: queries, and IPv6's link-local messages: neighbour discovery, multicast listening (EV-172) and
/// the discovery of multicast routers.
const fn may_come_first(packet: &Packet) -> bool {
    match (packet.family(), packet.icmp) {
        (IpFamily::V4, Some(icmp)) => matches!(icmp.icmp_type, 8 | 13 | 15 | 17),
        (IpFamily::V6, Some(icmp)) => {
            matches!(icmp.icmp_type, 128 | 139 | 130..=136 | 143 | 151..=153)
        }
        (IpFamily::V4 | IpFamily::V6, None) => true,
    }
}

/// EV-172: neighbour discovery and multicast listener traffic that cannot have been routed.
fn is_essential(packet: &Packet) -> bool {
    let (IpAddr::V6(source), Some(icmp)) = (packet.source, packet.icmp) else {
        return false;
    };
    if packet.fragmented || packet.destination.is_unspecified() {
        return false;
    }
    let link_local = source.is_unicast_link_local();
    match icmp.icmp_type {
        133 | 135 | 136 => packet.hop_limit == 255 && icmp.code == 0,
        134 => {
            packet.hop_limit == 255
                && icmp.code == 0
                && link_local
                && packet.direction == Direction::Ingress
        }
        130..=132 | 143 => packet.hop_limit == 1 && (link_local || source.is_unspecified()),
        _ => false,
    }
}
