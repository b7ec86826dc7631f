//! A rule → its conditions on each header field, and in one family → the predicates for those.

use std::{collections::BTreeSet, sync::Arc};

use ipnetwork::IpNetwork;

use super::{
    builder::FlatList,
    conditions::{Addresses, Conditions, name},
};
use crate::{
    compile::{
        classes::{
            named_ports::{self, NamedPorts},
            predicates::{ANY, Match, PredicateId, Space, Term},
            services::{LAST_PORT, LAST_SERVICE, Ports, Service},
        },
        sets::{
            ranges::{Position, RangeSet, family_of},
            selected::{AllUnions, Objects, SideSelector, Unified},
        },
    },
    model::{EntityRule, FailsafePort, IpFamily, PortRange, Rule, Snapshot},
    selector::Selector,
};

/// Which end of a packet a failsafe's port and network are compared with (EV-064, EV-065, EV-068).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailsafeEnds {
    /// The port is the destination's; else the source's.
    pub(crate) destination_port: bool,
    /// The network is the source's; else the destination's.
    pub(crate) source_net: bool,
}

/// The sets and predicates over each header field, from generation to generation.
#[derive(Debug)]
pub(crate) struct Spaces {
    pub(crate) addresses4: Space<u32>,
    pub(crate) addresses6: Space<u128>,
    pub(crate) services: Space<u32>,
    pub(crate) source_ports: Space<u32>,
}

impl Default for Spaces {
    fn default() -> Self {
        Self {
            addresses4: Space::up_to(u32::MAX),
            addresses6: Space::up_to(u128::MAX),
            services: Space::up_to(LAST_SERVICE),
            source_ports: Space::up_to(LAST_PORT),
        }
    }
}

impl Spaces {
    /// Begins a generation, whose lists are `lists`: notes what they use.
    pub(crate) fn begin<'l>(&mut self, lists: impl Iterator<Item = &'l FlatList>) {
        self.addresses4.begin();
        self.addresses6.begin();
        self.services.begin();
        self.source_ports.begin();
        for list in lists {
            for rule in &list.rules {
                let [source, destination, service, source_port, ..] = rule.matches;
                for address in [source, destination] {
                    match list.family {
                        IpFamily::V4 => self.addresses4.mark(address),
                        IpFamily::V6 => self.addresses6.mark(address),
                    }
                }
                self.services.mark(service);
                self.source_ports.mark(source_port);
            }
        }
    }

    /// Whether most of what they hold is of earlier generations.
    pub(crate) fn is_cluttered(&self) -> bool {
        self.addresses4.is_cluttered()
            || self.addresses6.is_cluttered()
            || self.services.is_cluttered()
            || self.source_ports.is_cluttered()
    }
}

/// Everything that matches are made of: objects, sets and predicates.
#[derive(Debug)]
pub(crate) struct Matcher<'s> {
    pub(crate) objects: Objects<'s>,
    pub(crate) spaces: Spaces,
    pub(crate) named_ports: NamedPorts,
}

/// The set of addresses that a selector stands for, and whether it is every address.
pub(crate) type SelectedSet = (u32, bool);

impl<'s> Matcher<'s> {
    /// No rule is matched yet; `former` holds the unions of the previous generation.
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        spaces: Spaces,
        former: Option<&'s AllUnions>,
    ) -> Self {
        Self {
            objects: Objects::new(snapshot, former),
            spaces,
            named_ports: NamedPorts::default(),
        }
    }

    /// The set of a selector in a family.
    pub(crate) fn set(&mut self, selector: &Arc<Selector>, family: IpFamily) -> SelectedSet {
        let Self {
            objects, spaces, ..
        } = self;
        match family {
            IpFamily::V4 => set_of(selector, &mut spaces.addresses4, objects, family),
            IpFamily::V6 => set_of(selector, &mut spaces.addresses6, objects, family),
        }
    }

    /// The sets of the selectors of a rule in a family.
    pub(crate) fn selected(
        &mut self,
        conditions: &Conditions,
        family: IpFamily,
    ) -> Vec<SelectedSet> {
        let Self {
            objects, spaces, ..
        } = self;
        match family {
            IpFamily::V4 => selected(&conditions.v4, &mut spaces.addresses4, objects, family),
            IpFamily::V6 => selected(&conditions.v6, &mut spaces.addresses6, objects, family),
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
        let Self {
            objects, spaces, ..
        } = self;
        let sides = match family {
            IpFamily::V4 => predicates(&conditions.v4, &mut spaces.addresses4, objects, family),
            IpFamily::V6 => predicates(&conditions.v6, &mut spaces.addresses6, objects, family),
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
                self.spaces.services.membership(&alternative.service),
                self.spaces
                    .source_ports
                    .membership(&alternative.source_ports),
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
            IpFamily::V4 => net_predicate(&mut self.spaces.addresses4, port.net.as_ref()),
            IpFamily::V6 => net_predicate(&mut self.spaces.addresses6, port.net.as_ref()),
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
            self.spaces
                .services
                .membership(&Arc::new(service.indices())),
            self.spaces
                .source_ports
                .membership(&Arc::new(from.ranges())),
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
            let predicate = self.named_ports.predicates.intern(terms);
            self.named_ports.predicates.mark(predicate);
            predicate
        })
    }
}

/// The predicates of both sides of a rule.
fn predicates<T: Unified>(
    sides: &Option<[Addresses<T>; 2]>,
    space: &mut Space<T>,
    objects: &mut Objects<'_>,
    family: IpFamily,
) -> Option<[PredicateId; 2]> {
    let sides = sides.as_ref()?;
    Some(
        sides
            .each_ref()
            .map(|side| side.predicate(space, objects, family)),
    )
}

/// The set of a selector.
fn set_of<T: Unified>(
    selector: &Arc<Selector>,
    space: &mut Space<T>,
    objects: &mut Objects<'_>,
    family: IpFamily,
) -> SelectedSet {
    let set = objects.set(selector, family, |union| space.set_of_objects(union));
    (set, space.within(set).is_none())
}

/// The sets of the selectors of both sides of a rule.
fn selected<T: Unified>(
    sides: &Option<[Addresses<T>; 2]>,
    space: &mut Space<T>,
    objects: &mut Objects<'_>,
    family: IpFamily,
) -> Vec<SelectedSet> {
    let mut sets = Vec::new();
    for side in sides.iter().flatten() {
        if let SideSelector::Within(selector) | SideSelector::Outside(selector) = &side.selector {
            sets.push(set_of(selector, space, objects, family));
        }
    }
    sets
}

fn net_predicate<T: Position>(space: &mut Space<T>, net: Option<&IpNetwork>) -> PredicateId {
    match net {
        Some(net) => space.membership(&Arc::new(RangeSet::of_nets([net]))),
        None => ANY,
    }
}
