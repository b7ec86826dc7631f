//! Decides from the kernel's routing tables, as the programs do, whether a packet is local or forwarded
//! (spec EV-095, EV-096, EV-261).

use std::{collections::BTreeSet, net::IpAddr};

use anyhow::Result;
use hep_common::Direction;

use super::super::runtime;
use crate::{
    daemon::NetworkWatch,
    model::Interface,
    reference::{Packet, Ports},
};

/// UDP ports of DHCP servers and of their clients.
const DHCP: Ports = Ports {
    source: 67,
    destination: 68,
};
const UDP: u8 = 17;

/// Whether the programs would treat a packet at `interface` as forwarded; `own` are this host's addresses
/// as the programs' maps hold them.
///
/// # Errors
///
/// If the kernel's routing tables cannot be queried.
pub(super) fn is_forwarded(
    packet: &Packet,
    interface: &Interface,
    own: &BTreeSet<IpAddr>,
) -> Result<bool> {
    let end = match packet.direction {
        Direction::Ingress => packet.destination,
        Direction::Egress => packet.source,
    };
    if own.contains(&end) {
        return Ok(false);
    }
    if packet.direction == Direction::Ingress && interface.is_member {
        return Ok(true);
    }
    if end.is_unspecified() || packet.source.is_unspecified() || is_for_everyone(end) {
        return Ok(false);
    }
    let is_dhcp = packet.source.is_ipv4() && packet.protocol == UDP && packet.ports == Some(DHCP);
    let forwards = match end {
        IpAddr::V4(_) => interface.conf.forwards_v4,
        IpAddr::V6(_) => interface.conf.forwards_v6 || interface.conf.is_forced_v6,
    };
    if packet.direction == Direction::Ingress && !forwards {
        return Ok(!is_dhcp);
    }
    let way = runtime::of_command()?.block_on(async {
        let watch = NetworkWatch::open()?;
        anyhow::Ok(watch.way_to(end).await)
    })?;
    Ok(match way {
        Some((is_own, way_out)) => !(is_own || is_dhcp && way_out == interface.ifindex),
        None => false,
    })
}

/// Whether an address is a multicast group or the limited broadcast.
const fn is_for_everyone(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_multicast(),
    }
}
