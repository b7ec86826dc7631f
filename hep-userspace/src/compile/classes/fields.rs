//! The classes of every header field, their tables, and lists in terms of them.

use std::sync::Arc;

use hep_common::{
    Family,
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{DIMENSIONS, Dimension, List, RULES_PER_CHUNK, Rule},
};

use super::{
    addresses::Addresses, numbered::Numbered, partition::MAX_CLASSES, predicates::Classified,
    services,
};
use crate::compile::{
    CompileError,
    address::{Layout4, Layout6},
    lists::{builder::FlatList, expand::Matcher, rows::Rows},
    segments::Segments,
};

/// The classes of services and source ports, from generation to generation.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    services: Numbered,
    source_ports: Numbered,
}

/// The classes of every header field, and their tables.
#[derive(Debug)]
pub(crate) struct Classes {
    /// By the number of the dimension; of addresses, those of IPv4.
    of: [Arc<Classified>; DIMENSIONS],
    pub(crate) v4: Addresses<Layout4>,
    pub(crate) v6: Addresses<Layout6>,
    pub(crate) destination_table: Segments<PortClasses>,
    pub(crate) source_table: Segments<PortClasses>,
    pub(crate) named_port_table: Vec<(NamedPortKey, NamedPortClass)>,
}

impl Classes {
    /// Partitions every field by the sets that rules use; reuses the `former` addresses, and `ports`.
    ///
    /// # Errors
    ///
    /// [`CompileError::TooManyClasses`].
    pub(crate) fn new(
        matcher: &Matcher<'_>,
        ports: &mut Ports,
        former: Option<(&Addresses<Layout4>, &Addresses<Layout6>)>,
    ) -> Result<Self, CompileError> {
        let spaces = &matcher.spaces;
        let v4 = Addresses::new(&spaces.addresses4, former.map(|(v4, _)| v4))
            .map_err(|classes| too_many("IPv4 addresses", classes))?;
        let v6 = Addresses::new(&spaces.addresses6, former.map(|(_, v6)| v6))
            .map_err(|classes| too_many("IPv6 addresses", classes))?;
        let Ports {
            services,
            source_ports,
        } = ports;
        services
            .renew(&spaces.services, services::destination_table)
            .map_err(|classes| too_many("services", classes))?;
        source_ports
            .renew(&spaces.source_ports, services::source_table)
            .map_err(|classes| too_many("source ports", classes))?;
        let (named_port_table, named_ports) = matcher
            .named_ports
            .classify()
            .map_err(|classes| too_many("named ports", classes))?;
        let named_ports = Arc::new(named_ports);
        Ok(Self {
            of: Dimension::ALL.map(|dimension| {
                Arc::clone(match dimension {
                    Dimension::Source | Dimension::Destination => &v4.classified,
                    Dimension::Service => &services.classified,
                    Dimension::SourcePort => &source_ports.classified,
                    Dimension::SourceNamedPort | Dimension::DestinationNamedPort => &named_ports,
                })
            }),
            v4,
            v6,
            destination_table: services.table.clone(),
            source_table: source_ports.table.clone(),
            named_port_table,
        })
    }

    /// Adds a list's rows to `rows` and its rules to `rules`; `slot_of` gives the slot of each rule, `place`
    /// is the list's among all.
    ///
    /// # Errors
    ///
    /// [`CompileError::TableTooLarge`].
    pub(crate) fn list(
        &self,
        place: usize,
        list: &Arc<FlatList>,
        slot_of: &[u32],
        rows: &mut Rows,
        rules: &mut Vec<Rule>,
    ) -> Result<List, CompileError> {
        let count = index(list.rules.len());
        let mut entry = List {
            rules: count,
            chunks: count.div_ceil(RULES_PER_CHUNK),
            first_rule: index(rules.len()),
            normal_from: index(list.normal_from),
            ..List::default()
        };
        rules.extend(list.rules.iter().map(|rule| Rule {
            action: rule.action as u8,
            reason: rule.reason.map_or(0, |reason| reason as u8),
            target: u16::try_from(rule.target).expect("at most MAX_RULES_PER_LIST"),
            slot: slot_of[rule.rule as usize],
        }));
        let mut of = self.of.clone();
        if list.family == Family::V6 {
            let addresses = &self.v6.classified;
            of[Dimension::Source as usize] = Arc::clone(addresses);
            of[Dimension::Destination as usize] = Arc::clone(addresses);
        }
        rows.add(&mut entry, place, list, of)?;
        Ok(entry)
    }

    /// Address classes of IPv4 and IPv6, services, source ports, named ports.
    pub(crate) fn counts(&self) -> [usize; 5] {
        let of = |dimension| self.of[dimension as usize].classes;
        [
            self.v4.classified.classes,
            self.v6.classified.classes,
            of(Dimension::Service),
            of(Dimension::SourcePort),
            of(Dimension::SourceNamedPort),
        ]
    }
}

fn too_many(what: &'static str, classes: usize) -> CompileError {
    CompileError::TooManyClasses {
        what,
        classes,
        limit: MAX_CLASSES,
    }
}

/// A table index.
fn index(length: usize) -> u32 {
    u32::try_from(length).expect("fewer rules than bytes of memory")
}
