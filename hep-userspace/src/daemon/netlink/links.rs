//! Links as messages describe them: kind, link layer, membership.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use rtnetlink::packet_route::{
    address::AddressMessage,
    link::{
        InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType,
        LinkMessage,
    },
};

use super::{super::conf, addresses::own_address};
use crate::model::{Conf, Interface, LinkLayer};

/// A link as one message describes it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The interface, still without addresses and membership.
    interface: Interface,
    /// Index of the bridge, bond, team or VRF that it is a port of.
    controller: Option<u32>,
    pub(crate) is_vrf: bool,
}

impl Link {
    /// Parses a link; `None` if the message names no interface. `all`: the settings of all interfaces.
    pub(crate) fn of(link: &LinkMessage, all: Conf) -> Option<Self> {
        Some(Self {
            interface: Interface {
                name: Arc::from(name(link)?),
                ifindex: link.header.index,
                addresses: Vec::new(),
                link_layer: link_layer(link.header.link_layer_type),
                is_loopback: link.header.flags.contains(LinkFlags::Loopback),
                is_member: false,
                vlan_of: vlan_of(link),
                conf: conf::of(link, all),
                own_vlan: vlan_id(link),
            },
            controller: controller(link),
            is_vrf: kind(link) == Some(&InfoKind::Vrf),
        })
    }

    /// The interface with its addresses; `is_vrf` returns whether the link of an index is a VRF.
    pub(crate) fn interface(
        &self,
        mut addresses: Vec<IpAddr>,
        is_vrf: impl FnOnce(u32) -> bool,
    ) -> Interface {
        addresses.sort_unstable();
        let is_in_vrf = self.controller.map(is_vrf);
        let mut interface = self.interface.clone();
        interface.addresses = addresses;
        interface.is_member = is_in_vrf == Some(false);
        // In a VRF the host may receive its own addresses: they are in another table there.
        interface.conf.accepts_local |= is_in_vrf == Some(true);
        interface
    }
}

pub(super) fn interfaces(
    links: &[LinkMessage],
    addresses: &[AddressMessage],
    all: Conf,
) -> Vec<Interface> {
    let mut by_index: BTreeMap<u32, Vec<IpAddr>> = BTreeMap::new();
    for message in addresses {
        by_index
            .entry(message.header.index)
            .or_default()
            .extend(own_address(message));
    }
    let links = links.iter().filter_map(|link| Link::of(link, all));
    let links: BTreeMap<u32, Link> = links.map(|link| (link.interface.ifindex, link)).collect();
    let is_vrf = |index| links.get(&index).is_some_and(|link: &Link| link.is_vrf);
    let interfaces = links.iter().map(|(index, link)| {
        let addresses = by_index.remove(index).unwrap_or_default();
        link.interface(addresses, is_vrf)
    });
    interfaces.collect()
}

fn name(link: &LinkMessage) -> Option<&str> {
    link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::IfName(name) = attribute {
            return Some(name.as_str());
        }
        None
    })
}

/// Index of the bridge, bond, team or VRF that the interface is a port of.
fn controller(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::Controller(index) = attribute {
            return (*index != 0).then_some(*index);
        }
        None
    })
}

fn kind(link: &LinkMessage) -> Option<&InfoKind> {
    let info = link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::LinkInfo(info) = attribute {
            return Some(info);
        }
        None
    })?;
    info.iter().find_map(|entry| {
        if let LinkInfo::Kind(kind) = entry {
            return Some(kind);
        }
        None
    })
}

/// The interface by which a VLAN's frames leave, if it is in this network namespace.
fn vlan_of(link: &LinkMessage) -> Option<u32> {
    if kind(link) != Some(&InfoKind::Vlan) {
        return None;
    }
    let mut parent = None;
    for attribute in &link.attributes {
        if let LinkAttribute::LinkNetNsId(_) = attribute {
            return None;
        }
        if let LinkAttribute::Link(index) = attribute {
            parent = Some(*index);
        }
    }
    parent
}

/// The id of a VLAN; its own frames bear it if the VLAN was created with `reorder_hdr off`.
fn vlan_id(link: &LinkMessage) -> Option<u16> {
    let entries = link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::LinkInfo(info) = attribute {
            return info.iter().find_map(|entry| {
                if let LinkInfo::Data(InfoData::Vlan(entries)) = entry {
                    return Some(entries);
                }
                None
            });
        }
        None
    })?;
    entries.iter().find_map(|entry| {
        if let InfoVlan::Id(id) = entry {
            return Some(*id);
        }
        None
    })
}

/// The first header of packets, by the link's type. Types that are named below start with Ethernet or
/// with the IP header; of all others nothing is known (EV-258).
pub(super) const fn link_layer(link_type: LinkLayerType) -> LinkLayer {
    if matches!(link_type, LinkLayerType::Ether | LinkLayerType::Loopback) {
        return LinkLayer::Ethernet;
    }
    if matches!(link_type, LinkLayerType::Infiniband) {
        return LinkLayer::Infiniband;
    }
    if matches!(
        link_type,
        LinkLayerType::Tunnel
            | LinkLayerType::Tunnel6
            | LinkLayerType::Sit
            | LinkLayerType::Ipgre
            | LinkLayerType::Ip6gre
            | LinkLayerType::Void
            | LinkLayerType::None
            | LinkLayerType::Rawip
            | LinkLayerType::Ppp
            | LinkLayerType::Slip
            | LinkLayerType::Cslip
            | LinkLayerType::Slip6
            | LinkLayerType::Cslip6
            | LinkLayerType::Rawhdlc
            | LinkLayerType::Pimreg
            | LinkLayerType::PhonetPipe
            | LinkLayerType::Caif
            | LinkLayerType::Sixlowpan
    ) {
        LinkLayer::None
    } else {
        LinkLayer::Unknown
    }
}
