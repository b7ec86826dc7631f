//! Links and addresses from messages.

use rtnetlink::packet_route::{
    address::AddressAttribute,
    link::{InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkLayerType},
    route::RouteHeader,
};

use super::{links::link_layer, *};
use crate::model::{Conf, LinkLayer};

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
