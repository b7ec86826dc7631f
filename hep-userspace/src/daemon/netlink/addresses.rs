//! Addresses as messages describe them, and those that are this host's own.

use std::net::IpAddr;

use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};

use crate::datapath::OwnAddresses;

/// The routing table with this host's own addresses.
pub(crate) const TABLE_LOCAL: u8 = 255;

/// `IFA_LOCAL` if present, else `IFA_ADDRESS`, which is the peer's on point-to-point links.
pub(crate) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let mut address = None;
    for attribute in &message.attributes {
        if let AddressAttribute::Local(local) = attribute {
            return Some(*local);
        }
        if let AddressAttribute::Address(other) = attribute {
            address = Some(*other);
        }
    }
    address
}

/// Collects single addresses only; packets to a local network are found by the route lookup.
pub(super) fn local_addresses(routes: &[RouteMessage]) -> OwnAddresses {
    let mut found = OwnAddresses::default();
    for route in routes {
        if route.header.table != TABLE_LOCAL {
            continue;
        }
        match (route.header.kind, single_destination(route)) {
            (RouteType::Local, Some(address)) => {
                found.own.insert(address);
            }
            (RouteType::Broadcast | RouteType::Anycast, Some(address)) => {
                found.shared.insert(address);
            }
            // Every host has 127.0.0.0/8.
            (RouteType::Local, None) if !is_loopback(route) => found.has_networks = true,
            _ => {}
        }
    }
    found
}

/// Whether a route is to 127.0.0.0/8.
fn is_loopback(route: &RouteMessage) -> bool {
    route.attributes.iter().any(|attribute| {
        matches!(
            attribute,
            RouteAttribute::Destination(RouteAddress::Inet(address)) if address.is_loopback()
        )
    })
}

fn single_destination(route: &RouteMessage) -> Option<IpAddr> {
    let bits = route.header.destination_prefix_length;
    route.attributes.iter().find_map(|attribute| {
        if let RouteAttribute::Destination(RouteAddress::Inet(address)) = attribute {
            return (bits == 32).then_some(IpAddr::V4(*address));
        }
        if let RouteAttribute::Destination(RouteAddress::Inet6(address)) = attribute {
            return (bits == 128).then_some(IpAddr::V6(*address));
        }
        None
    })
}
