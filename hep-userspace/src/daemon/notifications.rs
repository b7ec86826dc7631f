//! The kernel's notifications about the network, and the filter for those that matter.

use rtnetlink::{
    MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{RouteNetlinkMessage, route::RouteType},
};

use super::netlink::{NetworkError, TABLE_LOCAL};

/// Messages with their senders.
pub(super) type Notifications = futures_channel::mpsc::UnboundedReceiver<(
    NetlinkMessage<RouteNetlinkMessage>,
    rtnetlink::sys::SocketAddr,
)>;

/// Subscribes to notifications about everything that policy depends on.
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

/// Subscribes to the notifications of these groups.
pub(super) fn subscribe_to(groups: &[MulticastGroup]) -> Result<Notifications, NetworkError> {
    let (connection, _, notifications) =
        rtnetlink::new_multicast_connection(groups).map_err(NetworkError::Socket)?;
    tokio::spawn(connection);
    Ok(notifications)
}

/// Whether a notification can change what is enforced. Irrelevant are routes of tables other than
/// `local` that do not lead to this host, of which a routing daemon changes thousands, and added qdiscs
/// and filters, which never remove ours. Everything else is relevant: links, addresses, removed qdiscs
/// and filters, and an overrun of the socket's buffer.
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
