//! The tables of one generation, in the shape of the maps.

use hep_common::{
    address::{Ranges4, Ranges6Low, Ranges6Mid, Ranges6Top, Run},
    endpoint::Interface,
    named_port::{NamedPortClass, NamedPortKey},
    port::PortClasses,
    rule::{IndexBlock, List, Row, Rule},
    settings::Settings,
};

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
    /// IPv4 roots, 65 536.
    pub roots4: Vec<Run>,
    /// IPv4 ranges.
    pub ranges4: Vec<Ranges4>,
    /// IPv6 roots, 65 536.
    pub roots6: Vec<Run>,
    /// IPv6 ranges of bits 16–31.
    pub ranges6_top: Vec<Ranges6Top>,
    /// IPv6 ranges of bits 32–63.
    pub ranges6_mid: Vec<Ranges6Mid>,
    /// IPv6 ranges of bits 64–127.
    pub ranges6_low: Vec<Ranges6Low>,
    /// Classes of destination ports, ICMP types and protocols.
    pub destination_ports: Vec<PortClasses>,
    /// Classes of source ports.
    pub source_ports: Vec<PortClasses>,
    /// Classes of named ports, sorted by key.
    pub named_ports: Vec<(NamedPortKey, NamedPortClass)>,
    /// Behaviour; its timeouts that follow the kernel are resolved by the caller before compiling.
    pub settings: Settings,
}
