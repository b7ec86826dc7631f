//! One rule in one family → the predicates it has on each header field.

use std::collections::BTreeSet;

use hep_common::rule::DIMENSIONS;
use ipnetwork::IpNetwork;

use super::{
    named_ports::{self, NamedPorts},
    predicates::{ANY, PredicateId, Space, Term},
    ranges::{Position, RangeSet, family_of},
    services::{LAST_PORT, LAST_SERVICE, Ports, Service},
    sets::{AllUnions, Objects, SideSelector},
};
use crate::model::{EntityRule, FailsafePort, IpFamily, PortMatch, PortRange, Rule, Snapshot};

/// A predicate per dimension, by the number of the dimension. All must hold.
pub(super) type Match = [PredicateId; DIMENSIONS];

/// The match of what matches everything.
pub(super) const EVERYTHING: Match = [ANY; DIMENSIONS];

/// Which end of a packet a failsafe's port and network are compared with (EV-064, EV-065, EV-068).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailsafeEnds {
    /// The port is the destination's; else the source's.
    pub(super) destination_port: bool,
    /// The network is the source's; else the destination's.
    pub(super) source_net: bool,
}

/// Everything that matches are made of: objects, sets and predicates.
#[derive(Debug)]
pub(super) struct Matcher<'s> {
    pub(super) objects: Objects<'s>,
    pub(super) addresses4: Space<u32>,
    pub(super) addresses6: Space<u128>,
    pub(super) services: Space<u32>,
    pub(super) source_ports: Space<u32>,
    pub(super) named_ports: NamedPorts,
}

impl<'s> Matcher<'s> {
    /// Nothing is matched yet; `former` are the unions of the generation before.
    pub(super) fn new(snapshot: &'s Snapshot, former: Option<&'s AllUnions>) -> Self {
        Self {
            objects: Objects::new(snapshot, former),
            addresses4: Space::up_to(u32::MAX),
            addresses6: Space::up_to(u128::MAX),
            services: Space::up_to(LAST_SERVICE),
            source_ports: Space::up_to(LAST_PORT),
            named_ports: NamedPorts::default(),
        }
    }

    /// The disjoint matches that a rule comes to in a family: none if it is skipped there, several
    /// if numeric and named ports stand in one list (EV-108).
    pub(super) fn rule(&mut self, rule: &Rule, family: IpFamily) -> Vec<Match> {
        let implied = rule.protocol.and_then(|protocol| protocol.implied_family());
        if rule
            .ip_version
            .or(implied)
            .is_some_and(|only| only != family)
        {
            return Vec::new(); // EV-114, EV-115
        }
        let sides = [&rule.source, &rule.destination];
        if sides.iter().any(|side| !has_nets_of(side, family)) {
            return Vec::new(); // EV-116
        }
        let [source, destination] = sides.map(|side| self.addresses(side, family));
        let protocol = rule.protocol.map(|protocol| protocol.number);
        let [from, to] = sides.map(|side| self.ports(side, protocol));
        let service = Service {
            protocol,
            not_protocol: rule.not_protocol.map(|protocol| protocol.number),
            icmp: rule.icmp,
            not_icmp: rule.not_icmp,
            ports: Ports::default(),
            needs_ports: sides
                .iter()
                .any(|side| !side.ports.is_empty() || !side.not_ports.is_empty()),
        };
        let mut matches = Vec::with_capacity(from.len() * to.len());
        for from in &from {
            for to in &to {
                let service = Service {
                    ports: to.numeric.clone(),
                    ..service.clone()
                };
                matches.push([
                    source,
                    destination,
                    self.services.membership(service.indices()),
                    self.source_ports.membership(from.numeric.ranges()),
                    from.named,
                    to.named,
                ]);
            }
        }
        matches
    }

    /// The match of a failsafe port; `None` in a family that its network is not of.
    pub(super) fn failsafe(
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
            self.services.membership(service.indices()),
            self.source_ports.membership(from.ranges()),
            ANY,
            ANY,
        ])
    }

    /// The address predicate of a side (EV-105 to EV-107, EV-117, EV-118).
    fn addresses(&mut self, side: &EntityRule, family: IpFamily) -> PredicateId {
        let objects = &mut self.objects;
        match family {
            IpFamily::V4 => side_predicate(&mut self.addresses4, objects, side, family),
            IpFamily::V6 => side_predicate(&mut self.addresses6, objects, side, family),
        }
    }

    /// The alternatives that a side's ports come to: numeric ones, and named ones that the numeric
    /// ones do not cover already.
    fn ports(&mut self, side: &EntityRule, protocol: Option<u8>) -> Vec<SidePorts> {
        let selector = SideSelector::of(side);
        let endpoints = |name: &str, objects: &mut Objects<'s>| -> Vec<_> {
            if selector == SideSelector::Nothing {
                return Vec::new();
            }
            let endpoints = objects.endpoints(selector.positive());
            named_ports::triples(endpoints, name, protocol).collect()
        };
        let mut named_set = |items: &[PortMatch]| -> Option<u32> {
            let names: Vec<&str> = items.iter().filter_map(name).collect();
            if names.is_empty() {
                return None;
            }
            let triples: BTreeSet<_> = names
                .iter()
                .flat_map(|name| endpoints(name, &mut self.objects))
                .collect();
            Some(self.named_ports.set(triples))
        };
        let named = named_set(&side.ports).map(|set| Term {
            set,
            negated: false,
        });
        let not_named = named_set(&side.not_ports).map(|set| Term { set, negated: true });
        let mut predicate = |named: Option<Term>| {
            self.named_ports
                .predicates
                .intern(named.into_iter().chain(not_named).collect())
        };
        let numeric: Vec<PortRange> = side.ports.iter().filter_map(range).collect();
        let none_of: Vec<PortRange> = side.not_ports.iter().filter_map(range).collect();

        let mut alternatives = Vec::with_capacity(2);
        if side.ports.is_empty() || !numeric.is_empty() {
            alternatives.push(SidePorts {
                numeric: Ports {
                    any_of: (!numeric.is_empty()).then(|| numeric.clone()),
                    none_of: none_of.clone(),
                },
                named: predicate(None),
            });
        }
        if named.is_some() {
            alternatives.push(SidePorts {
                numeric: Ports {
                    any_of: None,
                    none_of: [none_of, numeric].concat(),
                },
                named: predicate(named),
            });
        }
        alternatives
    }
}

/// One alternative of a side's ports.
#[derive(Debug)]
struct SidePorts {
    numeric: Ports,
    named: PredicateId,
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
        Some(net) => space.membership(RangeSet::of_nets([net])),
        None => ANY,
    }
}

fn side_predicate<T: Position>(
    space: &mut Space<T>,
    objects: &mut Objects<'_>,
    side: &EntityRule,
    family: IpFamily,
) -> PredicateId {
    let mut terms = Vec::with_capacity(3);
    if !side.nets.is_empty() {
        let set = space.set(RangeSet::of_nets(&side.nets));
        terms.extend(space.within(set));
    }
    if !side.not_nets.is_empty() {
        let set = space.set(RangeSet::of_nets(&side.not_nets));
        terms.push(Term { set, negated: true });
    }
    match SideSelector::of(side) {
        SideSelector::None => {}
        SideSelector::Within(selector) => {
            let set = objects.set(&selector, family, |union| space.set_of_objects(union));
            terms.extend(space.within(set));
        }
        SideSelector::Outside(selector) => {
            let set = objects.set(&selector, family, |union| space.set_of_objects(union));
            terms.push(Term { set, negated: true });
        }
        SideSelector::Nothing => {
            let set = space.set(RangeSet::default());
            terms.extend(space.within(set));
        }
    }
    space.predicates.intern(terms)
}
