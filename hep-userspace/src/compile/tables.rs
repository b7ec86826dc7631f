//! The tables of one generation, in the shape of the maps.

use hep_common::{
    endpoint::Interface,
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{IndexBlock, List, Row, Rule},
    settings::Settings,
};

use super::{AddressTables, Lineage};

/// One vector per map; index in the vector is index in the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTables {
    /// Open-addressed by `ifindex & settings.interface_mask`; length is a power of two.
    pub interfaces: Vec<Interface>,
    /// List 0 is unused.
    pub lists: Vec<List>,
    /// Rules of all lists.
    pub rules: Vec<Rule>,
    /// Row numbers by (list and dimension, class, chunk).
    pub index: Vec<IndexBlock>,
    /// Distinct rows; row 0 is empty.
    pub rows: Vec<Row>,
    /// Classes of addresses.
    pub addresses: AddressTables,
    /// Classes of destination ports, ICMP types and protocols.
    pub destination_ports: Vec<PortClasses>,
    /// Classes of source ports.
    pub source_ports: Vec<PortClasses>,
    /// Classes of named ports, sorted by key.
    pub named_ports: Vec<(NamedPortKey, NamedPortClass)>,
    /// How the address tables came about.
    pub lineage: Lineage,
    /// Behaviour; its timeouts that follow the kernel are resolved by the caller before compiling.
    pub settings: Settings,
}
