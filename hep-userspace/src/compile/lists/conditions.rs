//! Conditions of a rule on a packet, as far as they depend on nothing but the rule.

use std::sync::Arc;

use ipnetwork::IpNetwork;

use crate::{
    compile::{
        classes::{
            predicates::{PredicateId, Space, Term},
            services::{Ports, Service},
        },
        sets::{
            ranges::{RangeSet, family_of},
            selected::{Objects, SideSelector, Unified},
        },
    },
    model::{EntityRule, IpFamily, PortMatch, PortRange, Rule},
};

/// Conditions of a rule on a packet, as far as they do not depend on other resources.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// Source and destination; `None` if the rule is skipped in this family.
    pub(crate) v4: Option<[Addresses<u32>; 2]>,
    pub(crate) v6: Option<[Addresses<u128>; 2]>,
    pub(crate) alternatives: Vec<Alternative>,
    names_ports: bool,
    has_selectors: bool,
}

/// The addresses of one side.
#[derive(Debug)]
pub(crate) struct Addresses<T> {
    /// One of these, if given.
    nets: Option<Arc<RangeSet<T>>>,
    /// None of these.
    not_nets: Option<Arc<RangeSet<T>>>,
    pub(crate) selector: SideSelector,
}

/// One alternative of a rule's ports, with the protocol.
#[derive(Debug)]
pub(crate) struct Alternative {
    pub(crate) service: Arc<RangeSet<u32>>,
    pub(crate) source_ports: Arc<RangeSet<u32>>,
    /// Whether source and destination port are to be named ones.
    pub(crate) is_named: [bool; 2],
}

impl Conditions {
    /// Whether they depend on the named ports of endpoints.
    pub(crate) const fn names_ports(&self) -> bool {
        self.names_ports
    }

    /// Whether they depend on the addresses that selectors select.
    pub(crate) const fn has_selectors(&self) -> bool {
        self.has_selectors
    }

    /// The conditions of a rule.
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
            names_ports: sides.iter().any(|side| {
                let mut ports = side.ports.iter().chain(&side.not_ports);
                ports.any(|port| name(port).is_some())
            }),
            has_selectors: sides
                .iter()
                .any(|side| SideSelector::of(side) != SideSelector::None),
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
    pub(crate) fn predicate(
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

/// The name of a port, if it is a named one.
pub(crate) fn name(item: &PortMatch) -> Option<&str> {
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
