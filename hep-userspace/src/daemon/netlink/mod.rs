//! This host's interfaces and addresses, read from and followed through rtnetlink.
//!
//! A notification only signals that something changed; the whole state is then read anew, so that a lost
//! notification costs nothing but time.

mod addresses;
mod error;
mod links;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

use futures_util::{StreamExt, TryStreamExt};
use rtnetlink::{
    Handle,
    packet_route::{
        AddressFamily,
        address::AddressMessage,
        link::LinkMessage,
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
    },
};

use super::{
    conf,
    notifications::{Notifications, is_relevant, subscribe},
    translation::{Translation, TranslationWatch},
};
use crate::{datapath::OwnAddresses, model::Interface};

use addresses::local_addresses;
pub(super) use addresses::{TABLE_LOCAL, own_address};
pub use error::NetworkError;
pub(super) use links::Link;
use links::interfaces;

/// Notifications come in bursts; the state is read when none followed for this long.
const BURST: Duration = Duration::from_millis(5);
/// Latest read after the first notification of a burst, which may never end.
const BURST_LIMIT: Duration = Duration::from_millis(100);

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
