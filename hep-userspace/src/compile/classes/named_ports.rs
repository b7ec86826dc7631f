//! Named ports: sets of (address, protocol, port), and the classes of such triples.

use std::collections::{BTreeMap, BTreeSet};

use hep_common::named_port::{NamedPortClass, NamedPortKey};
use rustc_hash::FxHashMap;

use super::{
    partition::MAX_CLASSES,
    predicates::{Classified, Predicates, SetClasses},
};
use crate::{compile::sets::ranges::mapped, model::HostEndpoint};

/// The sets of triples that rules use, and predicates over them.
#[derive(Debug, Default)]
pub(crate) struct NamedPorts {
    sets: Vec<BTreeSet<NamedPortKey>>,
    by_content: BTreeMap<BTreeSet<NamedPortKey>, u32>,
    /// Predicates over the sets.
    pub(crate) predicates: Predicates,
}

impl NamedPorts {
    /// The number of a set; equal sets have one number.
    pub(crate) fn set(&mut self, set: BTreeSet<NamedPortKey>) -> u32 {
        if let Some(&known) = self.by_content.get(&set) {
            return known;
        }
        let number = u32::try_from(self.sets.len()).expect("fewer sets than rules in memory");
        self.sets.push(set.clone());
        self.by_content.insert(set, number);
        number
    }

    /// Whether any rule uses named ports.
    pub(crate) fn is_used(&self) -> bool {
        !self.sets.is_empty()
    }

    /// The class of every triple that is in a set, sorted by triple, and the classes that each
    /// predicate accepts.
    ///
    /// # Errors
    ///
    /// The number of classes, if there are too many.
    pub(crate) fn classify(
        &self,
    ) -> Result<(Vec<(NamedPortKey, NamedPortClass)>, Classified), usize> {
        let mut sets_of: BTreeMap<NamedPortKey, Vec<u32>> = BTreeMap::new();
        for (number, set) in (0..).zip(&self.sets) {
            for triple in set {
                sets_of.entry(*triple).or_default().push(number);
            }
        }
        let mut class_of: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
        let mut table = Vec::with_capacity(sets_of.len());
        for (triple, sets) in sets_of {
            let next = u32::try_from(class_of.len() + 1).expect("fewer classes than triples");
            let class = *class_of.entry(sets).or_insert(next);
            table.push((triple, class));
        }
        let classes = class_of.len() + 1;
        if classes > MAX_CLASSES {
            return Err(classes);
        }
        let held = class_of.iter().map(|(sets, class)| {
            let class = u16::try_from(*class).expect("at most MAX_CLASSES");
            (class, sets.as_slice())
        });
        let of_sets = SetClasses::new(self.sets.len(), || held.clone());
        let nothing = Classified::default();
        let classified = Classified::new(&self.predicates, &of_sets, classes, &nothing);
        Ok((table, classified))
    }
}

/// The triples of the ports called `name` on `endpoints`, of one protocol if it is given (EV-124 to
/// EV-126, EV-131).
pub(crate) fn triples<'e>(
    endpoints: impl IntoIterator<Item = &'e HostEndpoint>,
    name: &str,
    protocol: Option<u8>,
) -> impl Iterator<Item = NamedPortKey> {
    endpoints.into_iter().flat_map(move |endpoint| {
        endpoint
            .ports
            .iter()
            .filter(move |port| {
                *port.name == *name
                    && protocol.is_none_or(|protocol| protocol == port.protocol.number)
            })
            .flat_map(|port| {
                endpoint.expected_ips.iter().map(|address| NamedPortKey {
                    address: mapped(*address),
                    port: port.port,
                    protocol: port.protocol.number,
                    reserved: 0,
                })
            })
    })
}
