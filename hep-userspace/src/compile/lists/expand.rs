//! A rule → its conditions on each header field, and in one family → the predicates for those.

use std::{collections::BTreeSet, sync::Arc};

use hep_common::rule::DIMENSIONS;
use ipnetwork::IpNetwork;

use crate::{
    compile::{
        classes::{
            named_ports::{self, NamedPorts},
            predicates::{ANY, PredicateId, Space, Term},
            services::{LAST_PORT, LAST_SERVICE, Ports, Service},
        },
        sets::{
            ranges::{Position, RangeSet, family_of},
            selected::{AllUnions, Objects, SideSelector, Unified},
        },
    },
    model::{EntityRule, FailsafePort, IpFamily, PortMatch, PortRange, Rule, Snapshot},
};

/// A predicate per dimension, by the number of the dimension. All must hold.
pub(crate) type Match = [PredicateId; DIMENSIONS];

/// The match of what matches everything.
pub(crate) const EVERYTHING: Match = [ANY; DIMENSIONS];

/// Which end of a packet a failsafe's port and network are compared with (EV-064, EV-065, EV-068).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailsafeEnds {
    /// The port is the destination's; else the source's.
    pub(crate) destination_port: bool,
    /// The network is the source's; else the destination's.
    pub(crate) source_net: bool,
}

/// Everything that matches are made of: objects, sets and predicates.
#[derive(Debug)]
pub(crate) struct Matcher<'s> {
    pub(crate) objects: Objects<'s>,
    pub(crate) addresses4: Space<u32>,
    pub(crate) addresses6: Space<u128>,
    pub(crate) services: Space<u32>,
    pub(crate) source_ports: Space<u32>,
    pub(crate) named_ports: NamedPorts,
}

impl<'s> Matcher<'s> {
    /// No rule is matched yet; `former` holds the unions of the previous generation.
    pub(crate) fn new(snapshot: &'s Snapshot, former: Option<&'s AllUnions>) -> Self {
        Self {
            objects: Objects::new(snapshot, former),
            addresses4: Space::up_to(u32::MAX),
            addresses6: Space::up_to(u128::MAX),
            services: Space::up_to(LAST_SERVICE),
            source_ports: Space::up_to(LAST_PORT),
            named_ports: NamedPorts::default(),
        }
    }

    /// The disjoint matches that a rule expands to in a family: none if it is skipped there, several if one
    /// list has numeric and named ports (EV-108). `conditions` are the rule's.
    pub(crate) fn rule(
        &mut self,
        rule: &Rule,
        conditions: &Conditions,
        family: IpFamily,
    ) -> Vec<Match> {
        let objects = &mut self.objects;
        let sides = match family {
            IpFamily::V4 => conditions.v4.as_ref().map(|sides| {
                sides
                    .each_ref()
                    .map(|side| side.predicate(&mut self.addresses4, objects, family))
            }),
            IpFamily::V6 => conditions.v6.as_ref().map(|sides| {
                sides
                    .each_ref()
                    .map(|side| side.predicate(&mut self.addresses6, objects, family))
            }),
        };
        let Some([source, destination]) = sides else {
            return Vec::new();
        };
        let [from, to] = [&rule.source, &rule.destination]
            .map(|side| self.named_ports(side, rule.protocol.map(|protocol| protocol.number)));
        let alternatives = conditions.alternatives.iter();
        let matches = alternatives.map(|alternative| {
            let [is_from_named, is_to_named] = alternative.is_named;
            [
                source,
                destination,
                self.services.membership(&alternative.service),
                self.source_ports.membership(&alternative.source_ports),
                from[usize::from(is_from_named)],
                to[usize::from(is_to_named)],
            ]
        });
        matches.collect()
    }

    /// The match of a failsafe port; `None` in a family that its network is not of.
    pub(crate) fn failsafe(
        &mut self,
        port: &FailsafePort,
        ends: FailsafeEnds,
        family: IpFamily,
    ) -> Option<Match> {
        if port
            .net
            .as_ref()
            .is_some_and(|net| family_of(net) != family)
        {
            return None;
        }
        let net = match family {
            IpFamily::V4 => net_predicate(&mut self.addresses4, port.net.as_ref()),
            IpFamily::V6 => net_predicate(&mut self.addresses6, port.net.as_ref()),
        };
        let (source, destination) = if ends.source_net {
            (net, ANY)
        } else {
            (ANY, net)
        };
        let ports = Ports {
            any_of: PortRange::new(port.port, port.port).map(|range| vec![range]),
            none_of: Vec::new(),
        };
        let (from, to) = if ends.destination_port {
            (Ports::default(), ports)
        } else {
            (ports, Ports::default())
        };
        let service = Service {
            protocol: Some(port.protocol.number),
            ports: to,
            needs_ports: true,
            ..Service::default()
        };
        Some([
            source,
            destination,
            self.services.membership(&Arc::new(service.indices())),
            self.source_ports.membership(&Arc::new(from.ranges())),
            ANY,
            ANY,
        ])
    }

    /// The predicates for a side's named ports: where its ports are numeric, and where they are named ones.
    fn named_ports(&mut self, side: &EntityRule, protocol: Option<u8>) -> [PredicateId; 2] {
        let [ports, not_ports] = [&side.ports, &side.not_ports]
            .map(|items| items.iter().filter_map(name).collect::<Vec<&str>>());
        if ports.is_empty() && not_ports.is_empty() {
            return [ANY; 2];
        }
        let selector = SideSelector::of(side);
        let mut set = |names: Vec<&str>, negated| -> Option<Term> {
            if names.is_empty() {
                return None;
            }
            let endpoints = self.objects.endpoints(selector.positive());
            let triples = names
                .iter()
                .flat_map(|name| named_ports::triples(endpoints.iter().copied(), name, protocol));
            let set = self.named_ports.set(triples.collect::<BTreeSet<_>>());
            Some(Term { set, negated })
        };
        let (named, not_named) = (set(ports, false), set(not_ports, true));
        [None, named].map(|named| {
            let terms = named.into_iter().chain(not_named).collect();
            self.named_ports.predicates.intern(terms)
        })
    }
}

/// Conditions of a rule on a packet, as far as they do not depend on other resources.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Source and destination; `None` if the rule is skipped in this family.
    v4: Option<[Addresses<u32>; 2]>,
    v6: Option<[Addresses<u128>; 2]>,
    alternatives: Vec<Alternative>,
}

/// The addresses of one side.
#[derive(Debug)]
struct Addresses<T> {
    /// One of these, if given.
    nets: Option<Arc<RangeSet<T>>>,
    /// None of these.
    not_nets: Option<Arc<RangeSet<T>>>,
    selector: SideSelector,
}

/// One alternative of a rule's ports, with the protocol.
#[derive(Debug)]
struct Alternative {
    service: Arc<RangeSet<u32>>,
    source_ports: Arc<RangeSet<u32>>,
    /// Whether source and destination port are to be named ones.
    is_named: [bool; 2],
}

impl Conditions {
    pub(crate) fn of(rule: &Rule) -> Self {
        let sides = [&rule.source, &rule.destination];
        let [from, to] = sides.map(ports);
        let service = Service {
            protocol: rule.protocol.map(|protocol| protocol.number),
            not_protocol: rule.not_protocol.map(|protocol| protocol.number),
            icmp: rule.icmp,
            not_icmp: rule.not_icmp,
            ports: Ports::default(),
            needs_ports: sides.iter().any(|side| wants_ports(side)),
        };
        let mut alternatives = Vec::with_capacity(from.len() * to.len());
        for from in &from {
            for to in &to {
                let service = Service {
                    ports: to.numeric.clone(),
                    ..service.clone()
                };
                alternatives.push(Alternative {
                    service: Arc::new(service.indices()),
                    source_ports: Arc::new(from.numeric.ranges()),
                    is_named: [from.is_named, to.is_named],
                });
            }
        }
        Self {
            v4: is_of(rule, IpFamily::V4).then(|| sides.map(Addresses::of)),
            v6: is_of(rule, IpFamily::V6).then(|| sides.map(Addresses::of)),
            alternatives,
        }
    }
}

/// Whether a rule is not skipped in a family (EV-114 to EV-116).
fn is_of(rule: &Rule, family: IpFamily) -> bool {
    let implied = rule.protocol.and_then(|protocol| protocol.implied_family());
    rule.ip_version
        .or(implied)
        .is_none_or(|only| only == family)
        && has_nets_of(&rule.source, family)
        && has_nets_of(&rule.destination, family)
}

impl<T: Unified> Addresses<T> {
    fn of(side: &EntityRule) -> Self {
        let set =
            |nets: &[IpNetwork]| (!nets.is_empty()).then(|| Arc::new(RangeSet::of_nets(nets)));
        Self {
            nets: set(&side.nets),
            not_nets: set(&side.not_nets),
            selector: SideSelector::of(side),
        }
    }

    /// The predicate of a side (EV-105 to EV-107, EV-117, EV-118).
    fn predicate(
        &self,
        space: &mut Space<T>,
        objects: &mut Objects<'_>,
        family: IpFamily,
    ) -> PredicateId {
        let mut terms = Vec::with_capacity(3);
        if let Some(nets) = &self.nets {
            let set = space.set(nets);
            terms.extend(space.within(set));
        }
        if let Some(not_nets) = &self.not_nets {
            let set = space.set(not_nets);
            terms.push(Term { set, negated: true });
        }
        match &self.selector {
            SideSelector::None => {}
            SideSelector::Within(selector) => {
                let set = objects.set(selector, family, |union| space.set_of_objects(union));
                terms.extend(space.within(set));
            }
            SideSelector::Outside(selector) => {
                let set = objects.set(selector, family, |union| space.set_of_objects(union));
                terms.push(Term { set, negated: true });
            }
        }
        space.predicates.intern(terms)
    }
}

/// One alternative of a side's ports.
#[derive(Debug)]
struct SidePorts {
    numeric: Ports,
    /// The port is to be a named one.
    is_named: bool,
}

/// The alternatives that a side's ports expand to: numeric ones, and named ones that the numeric ones do
/// not cover already.
fn ports(side: &EntityRule) -> Vec<SidePorts> {
    let numeric: Vec<PortRange> = side.ports.iter().filter_map(range).collect();
    let none_of: Vec<PortRange> = side.not_ports.iter().filter_map(range).collect();
    let mut alternatives = Vec::with_capacity(2);
    if side.ports.is_empty() || !numeric.is_empty() {
        alternatives.push(SidePorts {
            numeric: Ports {
                any_of: (!numeric.is_empty()).then(|| numeric.clone()),
                none_of: none_of.clone(),
            },
            is_named: false,
        });
    }
    if side.ports.iter().any(|item| name(item).is_some()) {
        alternatives.push(SidePorts {
            numeric: Ports {
                any_of: None,
                none_of: [none_of, numeric].concat(),
            },
            is_named: true,
        });
    }
    alternatives
}

/// Whether a side matches no packet without ports: nothing but `notPorts` of names alone does (EV-123,
/// EV-128).
fn wants_ports(side: &EntityRule) -> bool {
    !side.ports.is_empty() || side.not_ports.iter().any(|item| name(item).is_none())
}

fn name(item: &PortMatch) -> Option<&str> {
    match item {
        PortMatch::Named(name) => Some(name),
        PortMatch::Range(_) => None,
    }
}

fn range(item: &PortMatch) -> Option<PortRange> {
    match item {
        PortMatch::Range(range) => Some(*range),
        PortMatch::Named(_) => None,
    }
}

/// Whether no list of CIDRs of the side becomes empty when those of the other family are removed.
fn has_nets_of(side: &EntityRule, family: IpFamily) -> bool {
    [&side.nets, &side.not_nets]
        .iter()
        .all(|nets| nets.is_empty() || nets.iter().any(|net| family_of(net) == family))
}

fn net_predicate<T: Position>(space: &mut Space<T>, net: Option<&IpNetwork>) -> PredicateId {
    match net {
        Some(net) => space.membership(&Arc::new(RangeSet::of_nets([net]))),
        None => ANY,
    }
}
