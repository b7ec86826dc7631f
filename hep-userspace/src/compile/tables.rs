//! The tables of one generation, in the shape of the maps.

use hep_common::{
    endpoint::Interface,
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{List, Row, Rule},
    settings::Settings,
};

use super::{AddressTables, Lineage, Segments};

/// Index in a vector is index in the map; `lists`, `rules` and `index` share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTables {
    /// Open-addressed by `ifindex & settings.interface_mask`; length is a power of two.
    pub interfaces: Vec<Interface>,
    /// List 0 is unused. Places in `rules` and `index` count from the start of these.
    pub lists: Vec<List>,
    /// Rules of all lists.
    pub rules: Vec<Rule>,
    /// Rows of short lists, numbers of others', by (list and dimension, class, chunk).
    pub index: Vec<u64>,
    /// Distinct rows; row 0 is empty, and so are some after the others.
    pub rows: Segments<Row>,
    /// Classes of addresses.
    pub addresses: AddressTables,
    /// Classes of destination ports, ICMP types and protocols.
    pub destination_ports: Segments<PortClasses>,
    /// Classes of source ports.
    pub source_ports: Segments<PortClasses>,
    /// Classes of named ports, sorted by key.
    pub named_ports: Vec<(NamedPortKey, NamedPortClass)>,
    /// How the address tables came about.
    pub lineage: Lineage,
    /// Behaviour; its timeouts that follow the kernel are resolved by the caller before compiling.
    pub settings: Settings,
}
