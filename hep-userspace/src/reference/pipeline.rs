//! The steps that a packet takes (section 1 of the specification).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use hep_common::{Direction, counter::Reason};

use super::{
    binding::{self, Role},
    essential, failsafe, invalid,
    judgement::{Decider, Judgement, Stage, Step},
    objects::Objects,
    options::Options,
    packet::Packet,
    plan::{List, Plan},
    walk::{Decision, Walker},
};
use crate::model::{Conf, EndpointToHostAction, Interface, IpFamily, ReversePath, Snapshot};

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
        if let Some(reason) = self.before_policy(walker, policed) {
            return by_pipeline(reason);
        }
        let is_workload = match policed.role {
            Role::Workload(_) => true,
            Role::Endpoint(_) | Role::Unpoliced => false,
        };
        if !is_workload && let Some(decision) = self.untracked(walker, plan) {
            return decision; // I7, E7
        }
        let felix = &self.snapshot.felix;
        if !felix.allow_invalid
            && let Some(reason) = invalid::reason(packet, self.options.any_icmp)
        {
            return by_pipeline(reason); // I8, E8
        }
        if is_workload && packet.direction == Direction::Egress {
            return (Reason::ToWorkload, Decider::Workload); // EV-100, EV-103
        }
        if packet.direction == Direction::Ingress
            && !is_workload
            && felix.reverse_path != ReversePath::Disabled
        {
            walker.record.trace.push(Step::ReversePathUnknown); // I9
        }
        if !packet.forwarded && !is_workload {
            // I10, E9; EV-066, EV-069.
            if let Some((direction, entry)) = failsafe::own(packet, felix) {
                return (Reason::Failsafe, Decider::Failsafe(direction, entry));
            }
            walker.record.trace.push(Step::NoFailsafe);
        }
        if packet.direction == Direction::Ingress
            && let Some(decision) = walker.tiers(plan, List::PreDnat)
        {
            return decision; // I11; EV-090: from workloads, too
        }
        match (packet.forwarded, is_workload) {
            (false, false) => Self::local(walker, plan),
            (true, false) => Self::forward(walker, plan),
            (false, true) => self.judge_workload(),
            (true, true) => (Reason::FromWorkload, Decider::Workload), // EV-103
        }
    }

    /// The reason of a verdict that depends on no policy (I1 to I5, E1 to E5, EV-080).
    fn before_policy(&self, walker: &mut Walker<'a, '_>, policed: &Policed<'_>) -> Option<Reason> {
        let packet = walker.packet;
        if let Some(reason) = packet.framing.link_layer() {
            return Some(reason); // EV-184, EV-258
        }
        if packet.family() == IpFamily::V6 && !self.snapshot.felix.ipv6_support {
            walker.record.trace.push(Step::Ipv6Unpoliced); // RS-157
            return Some(Reason::Unpoliced);
        }
        if let Some(reason) = packet.framing.extension_headers(packet.fragmented) {
            return Some(reason); // EV-183
        }
        if self.is_martian(packet, policed) {
            return Some(Reason::Martian); // EV-262
        }
        if essential::is_exempt(packet, policed.is_member, self.options) {
            return Some(Reason::Essential); // I5, E5
        }
        self.is_bypassed(packet).then_some(Reason::Bypass)
    }

    /// EV-080: forwarded, and exempt because it was accepted untracked where it came in.
    fn is_bypassed(&self, packet: &Packet) -> bool {
        packet.forwarded
            && matches!(packet.direction, Direction::Egress)
            && packet.mark & self.options.behaviour.bypass_mark != 0
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
    fn untracked(&self, walker: &mut Walker<'a, '_>, plan: &Plan<'a>) -> Option<Decision<'a>> {
        let packet = walker.packet;
        if packet.direction == Direction::Egress && packet.forwarded {
            return None;
        }
        let felix = &self.snapshot.felix;
        if !packet.forwarded
            && let Some((direction, entry)) =
                failsafe::own(packet, felix).or_else(|| failsafe::reverse(packet, felix))
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

    /// EV-042; DS-312.
    fn forward(walker: &mut Walker<'a, '_>, plan: &Plan<'a>) -> Decision<'a> {
        if plan.closed {
            return (Reason::NoProfile, Decider::NoProfile);
        }
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
}

const fn by_pipeline<'a>(reason: Reason) -> Decision<'a> {
    (reason, Decider::Pipeline)
}
