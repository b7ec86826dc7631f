//! Random packets at the boundaries of resources.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use fastrand::Rng;
use hep_common::protocol;
use hep_userspace::{
    cases::{DirectionText, Expect, ExtensionCase, PacketCase, ProtocolText, TagCase},
    reference::{Extension, MAX_EXTENSIONS, MAX_TAGS},
};
use serde_json::Value;

use super::{
    addresses::{Net, address},
    chance,
    generate::INTERFACES,
    pick,
    policies::{ICMP_CODES, ICMP_TYPES, PORTS},
    some,
};

/// An interface that always has Ethernet headers.
pub(super) const NEVER_HEADERLESS: &str = "wl0";
/// EtherTypes that mean something to the kernel or to the programs.
const ETHERTYPES: [u16; 6] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8848];

/// The interfaces that packets are met at.
#[derive(Clone, Copy)]
pub(super) struct Topology<'a> {
    pub(super) interfaces: &'a BTreeMap<String, Vec<IpAddr>>,
    /// Those without Ethernet headers.
    pub(super) headerless: &'a [String],
}

/// Values that packets are made of.
struct Material {
    /// By family.
    addresses: [Vec<IpAddr>; 2],
    ports: Vec<u16>,
}

/// Packets for these resources.
pub(super) fn packets(
    rng: &mut Rng,
    resources: &[Value],
    topology: Topology<'_>,
    count: usize,
) -> Vec<PacketCase> {
    let material = Material::new(rng, resources, topology.interfaces);
    let mut packets: Vec<PacketCase> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut packet = match packets.last() {
            Some(former) if chance(rng, 15) => sibling(rng, &material, former),
            _ => packet(rng, &material),
        };
        fit_link(&mut packet, topology);
        packets.push(packet);
    }
    packets
}

impl Material {
    fn new(rng: &mut Rng, resources: &[Value], interfaces: &BTreeMap<String, Vec<IpAddr>>) -> Self {
        let mut addresses: BTreeSet<IpAddr> = interfaces.values().flatten().copied().collect();
        for resource in resources {
            collect_addresses(resource, &mut addresses);
        }
        for _ in 0..3 {
            addresses.insert(address(rng, false));
            addresses.insert(address(rng, true));
        }
        let (v4, mut v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
        // The mapped form of an IPv4 address is another address, in another family.
        if let IpAddr::V4(address) = *pick(rng, &v4) {
            v6.push(address.to_ipv6_mapped().into());
        }
        let neighbours = |port: &u16| [port.wrapping_sub(1), *port, *port, port.wrapping_add(1)];
        Self {
            addresses: [v4, v6],
            ports: PORTS
                .iter()
                .flat_map(neighbours)
                .chain([0, 40_000])
                .collect(),
        }
    }
}

/// Every text that is an address or a network, with its edges.
fn collect_addresses(value: &Value, addresses: &mut BTreeSet<IpAddr>) {
    match value {
        Value::String(text) => {
            let net = match text.split_once('/') {
                Some((address, bits)) => address.parse().ok().zip(bits.parse().ok()),
                None => text.parse().ok().map(|address: IpAddr| {
                    let bits = if address.is_ipv4() { 32 } else { 128 };
                    (address, bits)
                }),
            };
            if let Some((address, bits)) = net {
                addresses.extend(Net { address, bits }.edges());
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .for_each(|item| collect_addresses(item, addresses));
        }
        Value::Object(fields) => {
            fields
                .values()
                .for_each(|field| collect_addresses(field, addresses));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A packet between the same addresses on the same way: state of the earlier one may be mistaken for its
/// own.
fn sibling(rng: &mut Rng, material: &Material, former: &PacketCase) -> PacketCase {
    let mut packet = former.clone();
    for port in [&mut packet.sport, &mut packet.dport] {
        if port.is_some() && rng.bool() {
            *port = Some(*pick(rng, &material.ports));
        }
    }
    stay_if_local(&mut packet);
    packet
}

fn packet(rng: &mut Rng, material: &Material) -> PacketCase {
    let ipv6 = rng.bool();
    let pool = &material.addresses[usize::from(ipv6)];
    let proto = upper_layer(rng, ipv6);
    let has_ports = protocol::is_keyed_by_ports(proto);
    let is_icmp = proto == if ipv6 { 58 } else { 1 };
    let ingress = rng.bool();
    let mut packet = PacketCase {
        direction: if ingress {
            DirectionText::Ingress
        } else {
            DirectionText::Egress
        },
        interface: Some((*pick(rng, &INTERFACES)).to_owned()),
        forwarded: chance(rng, 40),
        src: *pick(rng, pool),
        dst: *pick(rng, pool),
        proto: ProtocolText::Number(proto),
        sport: has_ports.then(|| *pick(rng, &material.ports)),
        dport: has_ports.then(|| *pick(rng, &material.ports)),
        icmp_type: is_icmp.then(|| icmp_type(rng)),
        icmp_code: is_icmp.then(|| icmp_code(rng)),
        pre_dnat_dst: None,
        pre_dnat_dport: None,
        hop_limit: is_icmp.then(|| *pick(rng, &[1, 64, 254, 255])),
        tcp_flags: (proto == 6 && chance(rng, 20)).then(|| {
            (*pick(
                rng,
                &[
                    "ACK", "ACK", "SYN ACK", "FIN", "FIN ACK", "RST", "", "SYN FIN",
                ],
            ))
            .to_owned()
        }),
        sctp_chunk: (proto == protocol::SCTP && chance(rng, 25)).then(|| *pick(rng, &SCTP_CHUNKS)),
        tags: if chance(rng, 10) {
            tags(rng)
        } else {
            Vec::new()
        },
        extensions: if ipv6 && chance(rng, 15) {
            extensions(rng)
        } else {
            Vec::new()
        },
        fragmented: chance(rng, 20),
        expect: Expect::Allow,
        reason: None,
        rule: None,
        why: String::new(),
    };
    stay_if_local(&mut packet);
    packet
}

/// Tags of either kind, mostly without a VLAN, and sometimes more than hep removes.
fn tags(rng: &mut Rng) -> Vec<TagCase> {
    let count = rng.usize(1..=MAX_TAGS + 3);
    let mut tags: Vec<TagCase> = (0..count)
        .map(|_| TagCase {
            ethertype: *pick(rng, &[0x8100, 0x88a8]),
            id: 0,
        })
        .collect();
    if chance(rng, 30) {
        tags[rng.usize(0..count)].id = *pick(rng, &[1, 5, 4095]);
    }
    tags
}

/// Extension headers, sometimes more than hep walks.
fn extensions(rng: &mut Rng) -> Vec<ExtensionCase> {
    let most = if rng.bool() { 2 } else { MAX_EXTENSIONS + 2 };
    let mut extensions: Vec<ExtensionCase> = some(rng, most, |rng| ExtensionCase {
        header: *pick(rng, &Extension::ALL),
        routing_type: None,
    });
    if let Some(last) = extensions.last_mut().filter(|_| chance(rng, 10)) {
        *last = ExtensionCase {
            header: Extension::ROUTING,
            routing_type: Some(0),
        };
    }
    extensions
}

/// A frame without Ethernet header has no tags. The call that tests a program takes its first bytes for such
/// a header all the same: what depends on whose frame it is, or looks like another EtherType, is met at an
/// interface that has Ethernet headers.
fn fit_link(packet: &mut PacketCase, topology: Topology<'_>) {
    let is_headerless = |name: &String| topology.headerless.contains(name);
    if !packet.interface.as_ref().is_some_and(is_headerless) {
        return;
    }
    let (called, is_multicast) = match packet.src {
        IpAddr::V4(source) => {
            let [first, second, ..] = source.octets();
            (
                [first, second],
                source.is_multicast() || source.is_broadcast(),
            )
        }
        IpAddr::V6(source) => {
            let [_, _, called, ..] = source.segments();
            (called.to_be_bytes(), source.is_multicast())
        }
    };
    let is_called = ETHERTYPES.contains(&u16::from_be_bytes(called));
    let may_be_martian = is_multicast
        || packet.src == packet.dst
        || packet.src.is_loopback()
        || packet.dst.is_loopback()
        || topology
            .interfaces
            .values()
            .flatten()
            .any(|own| *own == packet.src);
    let may_be_discovery = packet.forwarded && packet.icmp_type.is_some();
    let is_ingress = packet.direction == DirectionText::Ingress;
    if is_called || (is_ingress && (may_be_martian || may_be_discovery)) {
        packet.interface = Some(NEVER_HEADERLESS.to_owned());
    } else {
        packet.tags.clear();
    }
}

/// Packets to a group or to everybody, or from the unspecified address, are for this host, whatever the FIB
/// returns (EV-094, EV-095), and the kernel forwards nothing to link-local and loopback addresses.
fn stay_if_local(packet: &mut PacketCase) {
    let is_nobody = packet.dst.is_unspecified() || packet.src.is_unspecified();
    let is_local = is_nobody || stays_here(packet.dst);
    if packet.direction == DirectionText::Ingress && is_local {
        packet.forwarded = false;
    }
}

fn stays_here(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_multicast()
                || address.is_broadcast()
                || address.is_link_local()
                || address.is_loopback()
        }
        IpAddr::V6(address) => {
            address.is_multicast() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

/// An upper-layer protocol; IPv6 extension headers are none.
fn upper_layer(rng: &mut Rng, ipv6: bool) -> u8 {
    match rng.u8(0..20) {
        0..9 => 6,
        9..13 => 17,
        13 | 14 => 132,
        15 | 16 => {
            if ipv6 {
                58
            } else {
                1
            }
        }
        17 => *pick(rng, &[protocol::UDPLITE, protocol::DCCP]),
        // ICMP of the other family is an ordinary protocol.
        18 => {
            if ipv6 {
                1
            } else {
                58
            }
        }
        _ => *pick(rng, &[2, 47, 50, 89, 112, 252, 253, 254, 255]),
    }
}

/// Types of SCTP chunks: those that open a flow and others.
const SCTP_CHUNKS: [u8; 8] = [0, 1, 2, 4, 5, 6, 10, 255];

fn icmp_code(rng: &mut Rng) -> u8 {
    let any = *pick(rng, &[0, 0, 2, 254]);
    let named = *pick(rng, &ICMP_CODES);
    *pick(rng, &[any, named])
}

fn icmp_type(rng: &mut Rng) -> u8 {
    if rng.bool() {
        return *pick(rng, &ICMP_TYPES);
    }
    *pick(
        rng,
        &[
            0, 1, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 127, 128, 129, 130, 132,
            133, 134, 135, 136, 137, 139, 140, 143, 150, 151, 153, 154, 253, 254, 255,
        ],
    )
}
