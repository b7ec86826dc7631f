//! Whether a rule matches a packet (section 11 of the specification).

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{
    mismatch::{Field, Mismatch, Side},
    objects::{Labels, Objects},
    packet::Packet,
};
use crate::model::{EntityRule, IcmpMatch, IpFamily, PortMatch, Rule};

/// All conditions that are present must hold; a rule without any matches everything (EV-104).
pub(super) fn check(rule: &Rule, packet: &Packet, objects: &Objects<'_>) -> Result<(), Mismatch> {
    check_family(rule, packet)?;
    check_protocol(rule, packet)?;
    check_icmp(rule, packet)?;
    let ports = packet.ports_for_rules();
    if wants_ports(rule) && ports.is_none() {
        return Err(Mismatch::NoPorts); // EV-123
    }
    // EV-112: the sides are independent; EV-109: each is compared with its own address and port.
    for (side, entity, address, port) in [
        (
            Side::Source,
            &rule.source,
            packet.source,
            ports.map(|ports| ports.source),
        ),
        (
            Side::Destination,
            &rule.destination,
            packet.destination,
            ports.map(|ports| ports.destination),
        ),
    ] {
        let end = End {
            address,
            port,
            protocol: packet.protocol,
        };
        check_side(rule, entity, end, objects).map_err(|field| Mismatch::Side(side, field))?;
    }
    Ok(())
}

/// EV-114 and EV-115: `ipVersion`, written or implied by a protocol's name. EV-116: a list of CIDRs
/// that holds only the other family takes the rule out of this one.
fn check_family(rule: &Rule, packet: &Packet) -> Result<(), Mismatch> {
    let family = packet.family();
    let written = rule.ip_version;
    let implied = rule.protocol.and_then(|protocol| protocol.implied_family());
    if [written, implied]
        .iter()
        .flatten()
        .any(|only| *only != family)
    {
        return Err(Mismatch::IpVersion);
    }
    for (side, entity) in [
        (Side::Source, &rule.source),
        (Side::Destination, &rule.destination),
    ] {
        for (field, nets) in [
            (Field::Nets, &entity.nets),
            (Field::NotNets, &entity.not_nets),
        ] {
            let vanishes = !nets.is_empty() && nets.iter().all(|net| family_of(net) != family);
            if vanishes {
                return Err(Mismatch::OtherFamily(side, field));
            }
        }
    }
    Ok(())
}

const fn family_of(net: &IpNetwork) -> IpFamily {
    match net {
        IpNetwork::V4(_) => IpFamily::V4,
        IpNetwork::V6(_) => IpFamily::V6,
    }
}

/// EV-110.
fn check_protocol(rule: &Rule, packet: &Packet) -> Result<(), Mismatch> {
    if rule
        .protocol
        .is_some_and(|wanted| wanted.number != packet.protocol)
    {
        return Err(Mismatch::Protocol);
    }
    if rule
        .not_protocol
        .is_some_and(|unwanted| unwanted.number == packet.protocol)
    {
        return Err(Mismatch::NotProtocol);
    }
    Ok(())
}

/// EV-111; EV-122: a rule with `icmp` matches nothing but ICMP on IPv4 and ICMPv6 on IPv6.
fn check_icmp(rule: &Rule, packet: &Packet) -> Result<(), Mismatch> {
    if rule.icmp.is_some_and(|wanted| !is_icmp(wanted, packet)) {
        return Err(Mismatch::Icmp);
    }
    // `notICMP: {}` is no constraint.
    let unwanted = rule
        .not_icmp
        .filter(|unwanted| unwanted.icmp_type.is_some());
    if unwanted.is_some_and(|unwanted| is_icmp(unwanted, packet)) {
        return Err(Mismatch::NotIcmp);
    }
    Ok(())
}

fn is_icmp(wanted: IcmpMatch, packet: &Packet) -> bool {
    packet.icmp.is_some_and(|header| {
        wanted
            .icmp_type
            .is_none_or(|icmp_type| icmp_type == header.icmp_type)
            && wanted.code.is_none_or(|code| code == header.code)
    })
}

/// Whether the rule matches only packets with certain ports. What has none is not in a set of named ports
/// either, so `notPorts` holds (EV-123, EV-128).
fn wants_ports(rule: &Rule) -> bool {
    !rule.source.ports.is_empty() || !rule.destination.ports.is_empty()
}

/// One end of a packet.
#[derive(Clone, Copy)]
struct End {
    address: IpAddr,
    port: Option<u16>,
    protocol: u8,
}

/// EV-105 to EV-108, EV-116.
fn check_side(
    rule: &Rule,
    side: &EntityRule,
    end: End,
    objects: &Objects<'_>,
) -> Result<(), Field> {
    let contains = |nets: &[IpNetwork]| nets.iter().any(|net| net.contains(end.address));
    if !side.nets.is_empty() && !contains(&side.nets) {
        return Err(Field::Nets);
    }
    if contains(&side.not_nets) {
        return Err(Field::NotNets);
    }
    check_selectors(side, end.address, objects)?;
    if let Some(port) = end.port {
        let listed = |ports: &[PortMatch]| {
            ports
                .iter()
                .any(|item| port_matches(item, port, rule, side, end, objects))
        };
        if !side.ports.is_empty() && !listed(&side.ports) {
            return Err(Field::Ports);
        }
        if listed(&side.not_ports) {
            return Err(Field::NotPorts);
        }
    }
    Ok(())
}

/// EV-107, RS-107: a positive and a negative selector are one set of objects (SL-057); a negative
/// one alone excludes its objects' addresses. EV-118: an empty set holds no address.
fn check_selectors(side: &EntityRule, address: IpAddr, objects: &Objects<'_>) -> Result<(), Field> {
    if side.selector.is_some() {
        let known = objects.contain(address, |labels| positively_selected(side, labels));
        return if known { Ok(()) } else { Err(Field::Selector) };
    }
    match &side.not_selector {
        Some(selector) if objects.contain(address, |labels| selector.matches(labels)) => {
            Err(Field::NotSelector)
        }
        Some(_) | None => Ok(()),
    }
}

/// `(selector) && !(notSelector)` of one object.
fn positively_selected(side: &EntityRule, labels: &Labels) -> bool {
    let wanted = side
        .selector
        .as_ref()
        .is_none_or(|selector| selector.matches(labels));
    let unwanted = side
        .not_selector
        .as_ref()
        .is_some_and(|selector| selector.matches(labels));
    wanted && !unwanted
}

/// EV-108; named ports by EV-124 to EV-129: the triples of the endpoints that satisfy the side's
/// positive selector, also in `notPorts`.
fn port_matches(
    item: &PortMatch,
    port: u16,
    rule: &Rule,
    side: &EntityRule,
    end: End,
    objects: &Objects<'_>,
) -> bool {
    match item {
        PortMatch::Range(range) => range.contains(port),
        PortMatch::Named(name) => {
            let protocol_agrees = rule
                .protocol
                .is_none_or(|wanted| wanted.number == end.protocol);
            protocol_agrees
                && objects.have_named_port(name, (end.address, end.protocol, port), |labels| {
                    side.selector.is_none() || positively_selected(side, labels)
                })
        }
    }
}
