//! This host's interfaces and addresses, read from and followed through rtnetlink.
//!
//! A notification only signals that something changed; the whole state is then read anew, so that a lost
//! notification costs nothing but time.

use std::{collections::BTreeMap, io, net::IpAddr, sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::{
    Handle,
    packet_route::{
        AddressFamily,
        address::{AddressAttribute, AddressMessage},
        link::{
            InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType,
            LinkMessage,
        },
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
    },
};

use super::{
    conf,
    notifications::{Notifications, is_relevant, subscribe},
    translation::{Translation, TranslationWatch},
};
use crate::{
    datapath::OwnAddresses,
    model::{Conf, Interface, LinkLayer},
};

/// The routing table with this host's own addresses.
pub(super) const TABLE_LOCAL: u8 = 255;
/// Notifications come in bursts; the state is read when none followed for this long.
const BURST: Duration = Duration::from_millis(5);
/// Latest read after the first notification of a burst, which may never end.
const BURST_LIMIT: Duration = Duration::from_millis(100);

/// Reason why the interfaces could not be read or followed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A netlink socket could not be opened.
    #[error("open a netlink socket")]
    Socket(#[source] io::Error),
    /// A dump failed.
    #[error("read {what} through netlink")]
    Dump {
        /// Kind of objects that were to be read.
        what: &'static str,
        /// Cause.
        source: Box<rtnetlink::Error>,
    },
    /// The socket of notifications broke.
    #[error("the netlink socket of notifications was closed")]
    Closed,
}

/// State of this network namespace that policy depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNetwork {
    /// All interfaces, by index.
    pub interfaces: Vec<Interface>,
    /// Addresses whose packets are local.
    pub local: OwnAddresses,
    /// Features in use that hand packets for other addresses to the host's processes.
    pub translation: Translation,
}

/// Follows the network.
pub struct NetworkWatch {
    requests: Handle,
    notifications: Notifications,
    translation: TranslationWatch,
    is_pending: bool,
}

impl NetworkWatch {
    /// Subscribes to changes in the network namespace of the calling thread; needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Socket`] if no netlink socket can be opened.
    pub fn open() -> Result<Self, NetworkError> {
        Ok(Self {
            requests: connect()?,
            notifications: subscribe()?,
            translation: TranslationWatch::new(),
            is_pending: false,
        })
    }

    /// A handle for other requests.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.requests.clone()
    }

    /// Waits until something may have changed. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Closed`] if the socket broke and no new one could be opened.
    pub async fn changed(&mut self) -> Result<(), NetworkError> {
        while !self.is_pending {
            tokio::select! {
                notification = self.notifications.next() => match notification {
                    Some((message, _)) => self.is_pending = is_relevant(&message),
                    None => {
                        self.notifications = subscribe().map_err(|_broken| NetworkError::Closed)?;
                        self.is_pending = true;
                    }
                },
                () = self.translation.changed() => self.is_pending = true,
            }
        }
        let end = tokio::time::Instant::now() + BURST_LIMIT;
        loop {
            let rest = (tokio::time::Instant::now() + BURST).min(end);
            let next = tokio::time::timeout_at(rest, self.notifications.next()).await;
            if !matches!(next, Ok(Some(_))) || tokio::time::Instant::now() >= end {
                break;
            }
        }
        self.is_pending = false;
        Ok(())
    }

    /// Index of the interface by which packets to `address` leave, if there is a route.
    pub async fn interface_towards(&self, address: IpAddr) -> Option<u32> {
        self.way_to(address).await.map(|(_, ifindex)| ifindex)
    }

    /// The route to `address`, if there is one: whether the address is local, and the index of the interface
    /// by which packets leave.
    pub async fn way_to(&self, address: IpAddr) -> Option<(bool, u32)> {
        let mut request = RouteMessage::default();
        let (family, bits, destination) = match address {
            IpAddr::V4(v4) => (AddressFamily::Inet, 32, RouteAddress::Inet(v4)),
            IpAddr::V6(v6) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(v6)),
        };
        request.header.address_family = family;
        request.header.destination_prefix_length = bits;
        request
            .attributes
            .push(RouteAttribute::Destination(destination));
        let mut found = Box::pin(self.requests.route().get(request).execute());
        let route = found.try_next().await.ok()??;
        let is_own = route.header.kind != RouteType::Unicast;
        route.attributes.iter().find_map(|attribute| {
            if let RouteAttribute::Oif(ifindex) = attribute {
                return Some((is_own, *ifindex));
            }
            None
        })
    }

    /// Reads the present state of the network.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Dump`] if the kernel refused.
    pub async fn read(&mut self) -> Result<HostNetwork, NetworkError> {
        let all = conf::of_all();
        let (links, addresses) = links_and_addresses(&self.requests).await?;
        let mut routes: Vec<RouteMessage> = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            request.header.table = TABLE_LOCAL;
            let found: Vec<RouteMessage> = self
                .requests
                .route()
                .get(request)
                .execute()
                .try_collect()
                .await
                .map_err(dump_error("local routes"))?;
            routes.extend(found);
        }
        Ok(HostNetwork {
            interfaces: interfaces(&links, &addresses, all),
            local: local_addresses(&routes),
            translation: self.translation.read(&self.requests).await,
        })
    }
}

/// All links and addresses.
///
/// # Errors
///
/// [`NetworkError::Dump`] if the kernel refused.
pub(super) async fn links_and_addresses(
    requests: &Handle,
) -> Result<(Vec<LinkMessage>, Vec<AddressMessage>), NetworkError> {
    let links = requests.link().get().execute().try_collect().await;
    let addresses = requests.address().get().execute().try_collect().await;
    Ok((
        links.map_err(dump_error("interfaces"))?,
        addresses.map_err(dump_error("addresses"))?,
    ))
}

fn dump_error(what: &'static str) -> impl FnOnce(rtnetlink::Error) -> NetworkError {
    move |source| NetworkError::Dump {
        what,
        source: Box::new(source),
    }
}

/// Opens a connection for requests in the network namespace of the calling thread; needs a tokio runtime.
///
/// # Errors
///
/// [`NetworkError::Socket`] if no netlink socket can be opened.
pub(super) fn connect() -> Result<Handle, NetworkError> {
    let (connection, requests, _) =
        rtnetlink::new_connection_with_strict_check().map_err(NetworkError::Socket)?;
    tokio::spawn(connection);
    Ok(requests)
}

/// A link as one message describes it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The interface, still without addresses and membership.
    interface: Interface,
    /// Index of the bridge, bond, team or VRF that it is a port of.
    controller: Option<u32>,
    pub(super) is_vrf: bool,
}

impl Link {
    /// Parses a link; `None` if the message names no interface. `all`: the settings of all interfaces.
    pub(super) fn of(link: &LinkMessage, all: Conf) -> Option<Self> {
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
    pub(super) fn interface(
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

fn interfaces(links: &[LinkMessage], addresses: &[AddressMessage], all: Conf) -> Vec<Interface> {
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
const fn link_layer(link_type: LinkLayerType) -> LinkLayer {
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

/// `IFA_LOCAL` if present, else `IFA_ADDRESS`, which is the peer's on point-to-point links.
pub(super) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
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
fn local_addresses(routes: &[RouteMessage]) -> OwnAddresses {
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

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::route::RouteHeader;

    use super::*;

    fn link(index: u32, name: &str, kind: Option<InfoKind>, controller: u32) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.link_layer_type = LinkLayerType::Ether;
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let kind = kind.into_iter().map(LinkInfo::Kind).collect();
        link.attributes.push(LinkAttribute::LinkInfo(kind));
        link.attributes.push(LinkAttribute::Controller(controller));
        link
    }

    fn address(index: u32, attributes: Vec<AddressAttribute>) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.attributes = attributes;
        message
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("the test writes addresses")
    }

    /// EV-016: ports of bridges, bonds and teams are members, ports of a VRF are not.
    #[test]
    fn ev_016_members_are_ports_of_anything_but_a_vrf() {
        let links = [
            link(9, "vrf0", Some(InfoKind::Vrf), 0),
            link(8, "bond0", Some(InfoKind::Bond), 0),
            link(7, "eth7", None, 9),
            link(6, "eth6", None, 8),
            link(5, "eth5", Some(InfoKind::Veth), 0),
        ];
        let found: Vec<(u32, bool)> = interfaces(&links, &[], Conf::default())
            .iter()
            .map(|interface| (interface.ifindex, interface.is_member))
            .collect();
        assert_eq!(
            found,
            [(5, false), (6, true), (7, false), (8, false), (9, false)]
        );
    }

    /// EV-184: a VLAN knows its parent and its id; what other links call theirs is something else.
    #[test]
    fn ev_184_a_vlan_knows_its_parent() {
        let of = |kind, others: &[LinkAttribute]| {
            let mut link = link(7, "eth0.7", Some(kind), 0);
            link.attributes.push(LinkAttribute::Link(2));
            link.attributes.extend_from_slice(others);
            let [found] = &interfaces(&[link], &[], Conf::default())[..] else {
                panic!("one link");
            };
            (found.vlan_of, found.own_vlan)
        };
        let data = LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(7)]));
        let id = LinkAttribute::LinkInfo(vec![data]);
        assert_eq!(of(InfoKind::Vlan, &[]), (Some(2), None));
        let elsewhere = LinkAttribute::LinkNetNsId(1);
        assert_eq!(of(InfoKind::Vlan, &[elsewhere]), (None, None));
        assert_eq!(of(InfoKind::Veth, &[]), (None, None));
        assert_eq!(of(InfoKind::Vlan, &[id]), (Some(2), Some(7)));
    }

    /// EV-017: which links have no Ethernet header follows from their type, not from their name.
    #[test]
    fn ev_017_headerless_links_are_known_by_their_type() {
        for (link_type, expected) in [
            (LinkLayerType::Ether, LinkLayer::Ethernet),
            (LinkLayerType::Loopback, LinkLayer::Ethernet),
            (LinkLayerType::None, LinkLayer::None),
            (LinkLayerType::Rawip, LinkLayer::None),
            (LinkLayerType::Tunnel, LinkLayer::None),
            (LinkLayerType::Tunnel6, LinkLayer::None),
            (LinkLayerType::Sit, LinkLayer::None),
            (LinkLayerType::Ipgre, LinkLayer::None),
            (LinkLayerType::Ip6gre, LinkLayer::None),
            (LinkLayerType::Ppp, LinkLayer::None),
            (LinkLayerType::Pimreg, LinkLayer::None),
            (LinkLayerType::Infiniband, LinkLayer::Infiniband),
            (LinkLayerType::Ieee1394, LinkLayer::Unknown),
        ] {
            assert_eq!(link_layer(link_type), expected, "{link_type:?}");
        }
    }

    #[test]
    fn the_own_end_of_a_point_to_point_link_counts_and_not_the_peers() {
        let links = [link(5, "tun0", None, 0)];
        let peer = AddressAttribute::Address(ip("192.0.2.2"));
        let own = AddressAttribute::Local(ip("192.0.2.1"));
        let addresses = [
            address(5, vec![peer, own]),
            address(5, vec![AddressAttribute::Address(ip("2001:db8::1"))]),
            address(4, vec![AddressAttribute::Address(ip("2001:db8::2"))]),
        ];
        let found = interfaces(&links, &addresses, Conf::default());
        assert_eq!(found[0].addresses, [ip("192.0.2.1"), ip("2001:db8::1")]);
    }

    fn route(table: u8, kind: RouteType, bits: u8, destination: RouteAddress) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header = RouteHeader {
            table,
            kind,
            destination_prefix_length: bits,
            ..RouteHeader::default()
        };
        route
            .attributes
            .push(RouteAttribute::Destination(destination));
        route
    }

    /// EV-095: local, broadcast and anycast addresses are this host's; prefixes are left to the
    /// routing look-up.
    #[test]
    fn ev_095_local_addresses_are_those_of_the_local_table() {
        let v4 = |last| RouteAddress::Inet([192, 0, 2, last].into());
        let v6 = |last| RouteAddress::Inet6([0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into());
        let routes = [
            route(TABLE_LOCAL, RouteType::Local, 32, v4(10)),
            route(TABLE_LOCAL, RouteType::Broadcast, 32, v4(255)),
            route(TABLE_LOCAL, RouteType::Local, 24, v4(0)),
            route(254, RouteType::Unicast, 32, v4(7)),
            route(TABLE_LOCAL, RouteType::Local, 128, v6(0x10)),
            route(TABLE_LOCAL, RouteType::Anycast, 128, v6(0)),
            route(TABLE_LOCAL, RouteType::Multicast, 128, v6(1)),
        ];
        let expected = OwnAddresses {
            own: ["192.0.2.10", "2001:db8::10"].map(ip).into(),
            shared: ["192.0.2.255", "2001:db8::"].map(ip).into(),
            has_networks: true,
        };
        assert_eq!(local_addresses(&routes), expected);
        let loopback = RouteAddress::Inet([127, 0, 0, 0].into());
        let usual = [route(TABLE_LOCAL, RouteType::Local, 8, loopback)];
        assert_eq!(local_addresses(&usual), OwnAddresses::default());
    }
}
