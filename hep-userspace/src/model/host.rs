//! The properties of this host's network interfaces that policy depends on.

use std::{net::IpAddr, sync::Arc};

/// The header that frames start with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkLayer {
    /// An Ethernet header.
    #[default]
    Ethernet,
    /// The IP header.
    None,
    /// 24 bytes of IP over InfiniBand, then the IP header.
    Infiniband,
    /// A header that hep does not recognise: IP packets behind it are dropped (EV-258).
    Unknown,
}

/// The kernel's settings for packets that arrive at an interface; those for all interfaces included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conf {
    /// Forwards IPv4 packets (`forwarding`).
    pub forwards_v4: bool,
    /// Forwards IPv6 packets (`all.forwarding`).
    pub forwards_v6: bool,
    /// Forwards IPv6 packets whatever the setting for all (`force_forwarding`).
    pub is_forced_v6: bool,
    /// May take IPv4 packets whose source is one of this host's own addresses (`accept_local`, or the
    /// interface is a VRF's).
    pub accepts_local: bool,
    /// Takes IPv4 packets from and to loopback addresses (`route_localnet`).
    pub routes_localnet: bool,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Name.
    pub name: Arc<str>,
    /// Interface index, positive.
    pub ifindex: u32,
    /// Addresses configured on it.
    pub addresses: Vec<IpAddr>,
    /// The header its frames start with.
    pub link_layer: LinkLayer,
    /// It is the loopback interface.
    pub is_loopback: bool,
    /// It is a member of a bridge, bond or team (not of a VRF).
    pub is_member: bool,
    /// It is a VLAN's: the index of the interface that carries its frames, tagged.
    pub vlan_of: Option<u32>,
    /// How the kernel treats what arrives here.
    pub conf: Conf,
    /// The VLAN id that counts as no tag here (EV-184): of a VLAN its own, of a port that filters
    /// VLANs that of its untagged frames.
    pub own_vlan: Option<u16>,
}
