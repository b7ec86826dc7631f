//! The network of the worked cases: a host with two interfaces, and a machine on each side.
//!
//! ```text
//! outside: C, peer ── eth0 ── host ── eth1 ── inside: D
//! ```
//!
//! The host forwards between its interfaces. All interfaces are called `eth0` except the host's
//! second one.

use std::net::IpAddr;

use crate::{address::Net, namespace::Namespace, packet::Mac};

/// Ethernet address of the host's `eth0`.
pub const HOST_MAC: Mac = [2, 0, 0, 0, 0, 0x10];
/// Ethernet address of the host's `eth1`.
pub const HOST_INSIDE_MAC: Mac = [2, 0, 0, 0, 0, 0x11];
/// Ethernet address of the outside machine.
pub const OUTSIDE_MAC: Mac = [2, 0, 0, 0, 0, 0x01];
/// Ethernet address of the inside machine.
pub const INSIDE_MAC: Mac = [2, 0, 0, 0, 0, 0x05];

/// Three namespaces and two links.
#[derive(Debug)]
pub struct Topology {
    /// The machine under policy.
    pub host: Namespace,
    /// Everything behind the host's `eth0`: peer, client and set member.
    pub outside: Namespace,
    /// Everything behind the host's `eth1`.
    pub inside: Namespace,
}

impl Topology {
    /// Makes the namespaces, links, addresses and routes of both families.
    ///
    /// # Panics
    ///
    /// If the kernel or `ip` refuses.
    #[must_use]
    pub fn new() -> Self {
        let topology = Self {
            host: Namespace::new("host"),
            outside: Namespace::new("outside"),
            inside: Namespace::new("inside"),
        };
        topology.host.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {}\n\
             link add eth1 type veth peer name eth0 netns {}\n\
             link set eth0 address {} up\n\
             link set eth1 address {} up",
            topology.outside.name(),
            topology.inside.name(),
            mac(HOST_MAC),
            mac(HOST_INSIDE_MAC),
        ));
        topology
            .outside
            .ip(&format!("link set eth0 address {} up", mac(OUTSIDE_MAC)));
        topology
            .inside
            .ip(&format!("link set eth0 address {} up", mac(INSIDE_MAC)));
        for net in Net::both() {
            topology.address(&net);
        }
        topology.host.sysctl("net/ipv4/ip_forward", "1");
        topology.host.sysctl("net/ipv6/conf/all/forwarding", "1");
        topology
    }

    fn address(&self, net: &Net) {
        let (link_bits, all_bits) = if net.host.is_ipv4() {
            (24, 32)
        } else {
            (64, 128)
        };
        let inner_net = if net.host.is_ipv4() {
            "10.0.0.0/24"
        } else {
            "2001:db8:10::/64"
        };
        let (host, peer, client, member) = (net.host, net.peer, net.client, net.member);
        let (host_inside, inner) = (net.host_inside, net.inner);
        self.host.ip(&format!(
            "address add {host}/{link_bits} dev eth0\n\
             address add {host_inside}/{link_bits} dev eth1\n\
             route add default via {peer} dev eth0"
        ));
        self.outside.ip(&format!(
            "address add {peer}/{link_bits} dev eth0\n\
             address add {client}/{all_bits} dev eth0\n\
             address add {member}/{all_bits} dev eth0\n\
             route add {inner_net} via {host}"
        ));
        self.inside.ip(&format!(
            "address add {inner}/{link_bits} dev eth0\n\
             route add default via {host_inside}"
        ));
    }

    /// Tells the machines each other's link-layer addresses for good, so that no packet waits for
    /// neighbour discovery.
    pub fn pin_neighbours(&self) {
        for net in Net::both() {
            let neighbour = |namespace: &Namespace, address: IpAddr, at: Mac, interface: &str| {
                namespace.ip(&format!(
                    "neighbour replace {address} lladdr {} dev {interface} nud permanent",
                    mac(at)
                ));
            };
            neighbour(&self.host, net.peer, OUTSIDE_MAC, "eth0");
            neighbour(&self.host, net.inner, INSIDE_MAC, "eth1");
            neighbour(&self.outside, net.host, HOST_MAC, "eth0");
            neighbour(&self.inside, net.host_inside, HOST_INSIDE_MAC, "eth0");
        }
    }

    /// The namespace that has `address`; unassigned addresses are outside.
    #[must_use]
    pub fn owner(&self, address: IpAddr) -> &Namespace {
        for net in Net::both() {
            if address == net.host || address == net.host_inside {
                return &self.host;
            }
            if address == net.inner {
                return &self.inside;
            }
        }
        &self.outside
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self::new()
    }
}

/// An Ethernet address as `ip` writes it.
fn mac(address: Mac) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
