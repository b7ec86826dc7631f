//! Failsafe entries that a packet falls under.

use std::net::IpAddr;

use hep_common::Direction;

use super::packet::Packet;
use crate::model::{FailsafePort, FelixConfiguration};

/// The failsafe entry of the packet's own direction (EV-063 to EV-065).
pub(super) fn own<'a>(
    packet: &Packet,
    felix: &'a FelixConfiguration,
) -> Option<(Direction, &'a FailsafePort)> {
    let ports = packet.ports_for_rules()?;
    let (list, other_end) = match packet.direction {
        Direction::Ingress => (&felix.failsafe_inbound, packet.source),
        Direction::Egress => (&felix.failsafe_outbound, packet.destination),
    };
    find(list, packet.protocol, ports.destination, other_end).map(|entry| (packet.direction, entry))
}

/// The entry of the other direction that the packet could be a reply under (EV-068 (b)).
pub(super) fn reverse<'a>(
    packet: &Packet,
    felix: &'a FelixConfiguration,
) -> Option<(Direction, &'a FailsafePort)> {
    let ports = packet.ports_for_rules()?;
    let (direction, list, other_end) = match packet.direction {
        Direction::Ingress => (Direction::Egress, &felix.failsafe_outbound, packet.source),
        Direction::Egress => (
            Direction::Ingress,
            &felix.failsafe_inbound,
            packet.destination,
        ),
    };
    find(list, packet.protocol, ports.source, other_end).map(|entry| (direction, entry))
}

fn find(
    list: &[FailsafePort],
    protocol: u8,
    port: u16,
    other_end: IpAddr,
) -> Option<&FailsafePort> {
    list.iter().find(|entry| {
        entry.protocol.number == protocol
            && entry.port == port
            && entry.net.is_none_or(|net| net.contains(other_end))
    })
}
