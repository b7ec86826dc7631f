//! Protocol, ports, ICMP types → classes: see [`hep_common::port`] and [`hep_common::named_port`].

use hep_common::{
    Family,
    named_port::NamedPortKey,
    port::{
        ICMP_BASE, ICMPV6_BASE, PORTS_PER_BLOCK, PROTOCOL_BASE, PortClasses, SCTP_BASE, TCP_BASE,
        UDP_BASE,
    },
    protocol,
};

use super::answer::FAULT;
use crate::{
    address::Address,
    maps::{self, Slot},
    parse::Packet,
};

/// The class at `index` of the table whose blocks `get` finds.
#[inline(always)]
fn class_at(
    slot: Slot,
    index: u32,
    get: impl FnOnce(Slot, u32) -> Option<&'static PortClasses>,
) -> Option<u32> {
    let position = (index & PORTS_PER_BLOCK.wrapping_sub(1)) as usize;
    let classes = get(slot, index / PORTS_PER_BLOCK)?;
    classes.classes.get(position).map(|class| u32::from(*class))
}

/// Where the ports of a protocol start; `None` if it has none that rules match.
#[inline(always)]
const fn port_base(protocol: u8) -> Option<u32> {
    match protocol {
        protocol::TCP => Some(TCP_BASE),
        protocol::UDP => Some(UDP_BASE),
        protocol::SCTP => Some(SCTP_BASE),
        _ => None,
    }
}

/// The class of protocol with destination port, or ICMP type and code.
#[inline(always)]
pub(super) fn service<A: Address>(slot: Slot, packet: &Packet<A>) -> Option<u32> {
    let icmp = u32::from(packet.icmp_type) << 8 | u32::from(packet.icmp_code);
    let index = match (packet.protocol, A::FAMILY) {
        (protocol::ICMP, Family::V4) => ICMP_BASE.wrapping_add(icmp),
        (protocol::ICMPV6, Family::V6) => ICMPV6_BASE.wrapping_add(icmp),
        (protocol, _) => match port_base(protocol) {
            Some(base) => base.wrapping_add(u32::from(packet.dst_port)),
            None => PROTOCOL_BASE.wrapping_add(u32::from(protocol)),
        },
    };
    class_at(slot, index, maps::destination_ports)
}

/// The class of the source port; 0 without ports.
#[inline(always)]
pub(super) fn source_port<A: Address>(slot: Slot, packet: &Packet<A>) -> Option<u32> {
    match port_base(packet.protocol) {
        Some(base) => class_at(
            slot,
            base.wrapping_add(u32::from(packet.src_port)),
            maps::source_ports,
        ),
        None => Some(0),
    }
}

/// The class of a named port at one end; 0 without ports.
#[inline(never)]
pub(super) fn named_port<A: Address>(slot: Slot, address: &A, port: u16, protocol: u8) -> u32 {
    if port_base(protocol).is_none() {
        return 0;
    }
    let mapped = address.mapped();
    if matches!(A::FAMILY, Family::V6) && u128::from_be_bytes(mapped) >> 32 == 0xffff {
        // In the table that is an IPv4 address, which this one is not.
        return 0;
    }
    let key = NamedPortKey {
        address: mapped,
        port,
        protocol,
        reserved: 0,
    };
    maps::named_port(slot, key).unwrap_or(FAULT)
}
