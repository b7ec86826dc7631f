//! HostEndpoint.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use super::{Metadata, PortName, Protocol};

/// The value of `spec.interfaceName`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceMatch {
    /// Empty: the interfaces that carry one of the `expectedIPs`.
    ByAddress,
    /// `*`: every interface that no other endpoint owns.
    All,
    /// The interface of this name.
    Named(Arc<str>),
}

/// An entry of `spec.ports`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointPort {
    /// Name that rules use.
    pub name: PortName,
    /// A protocol with ports.
    pub protocol: Protocol,
    /// Port, 1–65535.
    pub port: u16,
}

/// A HostEndpoint, of this node or another (RS-036).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEndpoint {
    /// Name, own labels, position.
    pub metadata: Metadata,
    /// `spec.node`.
    pub node: Arc<str>,
    /// `spec.interfaceName`.
    pub interface: InterfaceMatch,
    /// `spec.expectedIPs`.
    pub expected_ips: BTreeSet<IpAddr>,
    /// `spec.profiles`, in order.
    pub profiles: Vec<Arc<str>>,
    /// `spec.ports`.
    pub ports: Vec<EndpointPort>,
    /// Made by the daemon (`--auto-host-endpoint`), not read from a file.
    pub generated: bool,
    /// Whether it denies everything but failsafes, forwarded packets included: neither policy nor profiles
    /// apply to it, since what a store has of it is not valid and never was (DS-312).
    pub closed: bool,
}
