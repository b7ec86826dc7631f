//! The classes of every header field, their tables, and lists in terms of them.

use hep_common::{
    Family,
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{Dimension, List, RULES_PER_CHUNK, Rule},
};

use super::{
    addresses::Addresses,
    partition::{MAX_CLASSES, Partition},
    predicates::{Classified, Space},
    services,
};
use crate::compile::{
    CompileError,
    address::{Layout4, Layout6},
    lineage::Memory,
    lists::{
        builder::FlatList,
        expand::{Match, Matcher},
        rows::Rows,
    },
    sets::ranges::Position,
};

/// The classes of every header field, and their tables.
#[derive(Debug)]
pub(crate) struct Classes {
    /// By family.
    addresses: [Classified; 2],
    services: Classified,
    source_ports: Classified,
    named_ports: Classified,
    pub(crate) v4: Addresses<Layout4>,
    pub(crate) v6: Addresses<Layout6>,
    pub(crate) destination_table: Vec<PortClasses>,
    pub(crate) source_table: Vec<PortClasses>,
    pub(crate) named_port_table: Vec<(NamedPortKey, NamedPortClass)>,
}

impl Classes {
    /// Partitions every field by the sets that rules use; reuses the `former` addresses.
    ///
    /// # Errors
    ///
    /// [`CompileError::TooManyClasses`].
    pub(crate) fn new(
        matcher: &Matcher<'_>,
        former: Option<&Memory>,
    ) -> Result<Self, CompileError> {
        let (v4, addresses4) = Addresses::new(&matcher.addresses4, former.map(|former| &former.v4))
            .map_err(|classes| too_many("IPv4 addresses", classes))?;
        let (v6, addresses6) = Addresses::new(&matcher.addresses6, former.map(|former| &former.v6))
            .map_err(|classes| too_many("IPv6 addresses", classes))?;
        let (services, service_classes) = classify(&matcher.services, "services")?;
        let (source_ports, source_classes) = classify(&matcher.source_ports, "source ports")?;
        let (named_port_table, named_ports) = matcher
            .named_ports
            .classify()
            .map_err(|classes| too_many("named ports", classes))?;
        Ok(Self {
            addresses: [addresses4, addresses6],
            services: service_classes,
            source_ports: source_classes,
            named_ports,
            v4,
            v6,
            destination_table: services::destination_table(&services),
            source_table: services::source_table(&source_ports),
            named_port_table,
        })
    }

    /// Adds a list's rows to `rows` and its rules to `rules`; `slot_of` gives the slot of each rule.
    ///
    /// # Errors
    ///
    /// [`CompileError::TableTooLarge`].
    pub(crate) fn list(
        &self,
        list: &FlatList,
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
        let matches: Vec<Match> = list.rules.iter().map(|rule| rule.matches).collect();
        rows.add(&mut entry, &matches, |dimension| {
            self.of(dimension, list.family)
        })?;
        Ok(entry)
    }

    fn of(&self, dimension: Dimension, family: Family) -> &Classified {
        match dimension {
            Dimension::Source | Dimension::Destination => &self.addresses[family as usize],
            Dimension::Service => &self.services,
            Dimension::SourcePort => &self.source_ports,
            Dimension::SourceNamedPort | Dimension::DestinationNamedPort => &self.named_ports,
        }
    }

    /// Address classes of IPv4 and IPv6, services, source ports, named ports.
    pub(crate) fn counts(&self) -> [usize; 5] {
        let [addresses4, addresses6] = &self.addresses;
        [
            addresses4,
            addresses6,
            &self.services,
            &self.source_ports,
            &self.named_ports,
        ]
        .map(|classified| classified.classes)
    }
}

fn classify<T: Position>(
    space: &Space<T>,
    what: &'static str,
) -> Result<(Partition<T>, Classified), CompileError> {
    let partition = space
        .partition()
        .map_err(|classes| too_many(what, classes))?;
    let classified = Classified {
        accepted: space
            .predicates
            .accepted(&partition.classes_of_set, partition.classes),
        classes: partition.classes,
    };
    Ok((partition, classified))
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
