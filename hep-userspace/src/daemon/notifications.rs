//! Notifications of the kernel's about the network, and which of them matter.

use rtnetlink::{
    MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{RouteNetlinkMessage, route::RouteType},
};

use super::netlink::{NetworkError, TABLE_LOCAL};

/// Messages and who sent them.
pub(super) type Notifications = futures_channel::mpsc::UnboundedReceiver<(
    NetlinkMessage<RouteNetlinkMessage>,
    rtnetlink::sys::SocketAddr,
)>;

/// Notifications of all that policy depends on.
pub(super) fn subscribe() -> Result<Notifications, NetworkError> {
    subscribe_to(&[
        MulticastGroup::Link,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
        MulticastGroup::Ipv4Rule,
        MulticastGroup::Ipv6Rule,
        MulticastGroup::Ipv4Netconf,
        MulticastGroup::Ipv6Netconf,
        MulticastGroup::Tc,
    ])
}

/// Notifications of these groups.
pub(super) fn subscribe_to(groups: &[MulticastGroup]) -> Result<Notifications, NetworkError> {
    let (connection, _, notifications) =
        rtnetlink::new_multicast_connection(groups).map_err(NetworkError::Socket)?;
    tokio::spawn(connection);
    Ok(notifications)
}

/// Routes of other tables come and go by the thousand where a routing daemon runs, but few to this host
/// itself; and what comes to
/// the qdiscs and filters takes none of ours away. Everything else counts: links, addresses, qdiscs and
/// filters that go, and the overrun of the socket's buffer.
pub(super) fn is_relevant(message: &NetlinkMessage<RouteNetlinkMessage>) -> bool {
    if let NetlinkPayload::InnerMessage(
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route),
    ) = &message.payload
    {
        return route.header.table == TABLE_LOCAL || route.header.kind == RouteType::Local;
    }
    !matches!(
        &message.payload,
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewQueueDiscipline(_)
                | RouteNetlinkMessage::NewTrafficClass(_)
                | RouteNetlinkMessage::DelTrafficClass(_)
                | RouteNetlinkMessage::NewTrafficFilter(_)
                | RouteNetlinkMessage::NewTrafficChain(_)
                | RouteNetlinkMessage::DelTrafficChain(_)
        )
    )
}
