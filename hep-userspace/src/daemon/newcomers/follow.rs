//! The thread that follows links and addresses one message at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aya::programs::SchedClassifier;
use futures_util::StreamExt as _;
use hep_common::Direction;
use rtnetlink::{
    MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage, address::AddressMessage, link::LinkMessage,
    },
};
use tokio::sync::oneshot;

use super::{
    super::{
        netlink::{self, Link, NetworkError},
        notifications::{Notifications, subscribe_to},
        sockets,
        summary::chain,
    },
    state::Shared,
};
use crate::{
    datapath::attach::{AttachError, Attachments, Target},
    model::{Conf, Interface},
};

/// An interface younger than this has no connections worth keeping.
const YOUNG: Duration = Duration::from_secs(2);
/// Wait after a failure to read the network.
const PAUSE: Duration = Duration::from_secs(1);

/// State of the thread.
pub(super) struct Follower {
    shared: Arc<Shared>,
    programs: [SchedClassifier; 2],
    links: BTreeMap<u32, (Link, Instant)>,
    addresses: BTreeMap<u32, BTreeSet<IpAddr>>,
}

impl Follower {
    pub(super) const fn new(shared: Arc<Shared>, programs: [SchedClassifier; 2]) -> Self {
        Self {
            shared,
            programs,
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    /// Follows the network until `stopped`.
    pub(super) async fn run(
        mut self,
        attachments: Attachments,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut attachments = match netlink::connect() {
            Ok(handle) => attachments.shared(handle),
            Err(error) => {
                log::error!("interfaces that appear: {}", chain(&error));
                return;
            }
        };
        loop {
            let mut notifications = match self.begin(&mut attachments).await {
                Ok(notifications) => notifications,
                Err(error) => {
                    log::error!("interfaces that appear: {}", chain(&error));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let shared = Arc::clone(&self.shared);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    () = shared.changed.notified() => self.look_at_all(&mut attachments).await,
                    message = notifications.next() => {
                        let Some((message, _)) = message else { break };
                        if !self.note(message, &mut attachments).await {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Subscribes, reads the present interfaces, and polices those that are not policed yet.
    async fn begin(
        &mut self,
        attachments: &mut Attachments,
    ) -> Result<Notifications, NetworkError> {
        let notifications = subscribe_to(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ])?;
        let (links, addresses) = netlink::links_and_addresses(attachments.netlink()).await?;
        let present: BTreeSet<u32> = links.iter().map(|link| link.header.index).collect();
        let gone = self.links.keys().filter(|index| !present.contains(index));
        for index in gone.copied().collect::<Vec<u32>>() {
            self.forget(index);
        }
        self.addresses.clear();
        for link in &links {
            self.note_link(link);
        }
        for address in &addresses {
            self.note_address(address, true);
        }
        self.look_at_all(attachments).await;
        Ok(notifications)
    }

    /// Processes a message; returns false if messages were lost.
    async fn note(
        &mut self,
        message: NetlinkMessage<RouteNetlinkMessage>,
        attachments: &mut Attachments,
    ) -> bool {
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            return false;
        };
        let index = if let RouteNetlinkMessage::NewLink(link) = &message {
            // Bridges report their ports in additional messages.
            if link.header.interface_family != AddressFamily::Unspec {
                return true;
            }
            self.note_link(link)
        } else if let RouteNetlinkMessage::DelLink(link) = &message {
            if link.header.interface_family == AddressFamily::Unspec {
                self.forget(link.header.index);
            }
            return true;
        } else if let RouteNetlinkMessage::NewAddress(address) = &message {
            self.note_address(address, true)
        } else if let RouteNetlinkMessage::DelAddress(address) = &message {
            self.note_address(address, false)
        } else {
            return true;
        };
        self.look_at(index, attachments).await;
        true
    }

    fn note_link(&mut self, message: &LinkMessage) -> u32 {
        let index = message.header.index;
        // Neither binding nor an entry depends on the settings of all interfaces.
        if let Some(link) = Link::of(message, Conf::default()) {
            let since = self.links.get(&index).map(|(_, since)| *since);
            self.links
                .insert(index, (link, since.unwrap_or_else(Instant::now)));
        }
        index
    }

    fn note_address(&mut self, message: &AddressMessage, is_there: bool) -> u32 {
        let index = message.header.index;
        if let Some(address) = netlink::own_address(message) {
            let addresses = self.addresses.entry(index).or_default();
            if is_there {
                addresses.insert(address);
            } else {
                addresses.remove(&address);
            }
        }
        index
    }

    fn forget(&mut self, index: u32) {
        self.links.remove(&index);
        self.addresses.remove(&index);
        self.shared.lock().forget(index);
    }

    async fn look_at_all(&mut self, attachments: &mut Attachments) {
        for index in self.links.keys().copied().collect::<Vec<u32>>() {
            self.look_at(index, attachments).await;
        }
    }

    /// Polices an interface if an endpoint owns it and it is not policed yet.
    async fn look_at(&mut self, index: u32, attachments: &mut Attachments) {
        let Some((link, since)) = self.links.get(&index) else {
            return;
        };
        let addresses = self.addresses.get(&index).into_iter().flatten().copied();
        let is_vrf = |other| self.links.get(&other).is_some_and(|(link, _)| link.is_vrf);
        let interface = link.interface(addresses.collect(), is_vrf);
        let [is_lost, is_wanted] = {
            let mut state = self.shared.lock();
            [state.is_lost(&interface), state.is_wanted(&interface)]
        };
        if is_lost && let Err(error) = attachments.release(index, &interface.name).await {
            log::error!("{}", chain(&error));
        }
        if !is_wanted {
            return;
        }
        if since.elapsed() > YOUNG && has_connections(&interface) {
            // A load seeds them first (EV-158).
            return;
        }
        let Some((owner, attach_type)) = self.shared.lock().police(&interface) else {
            return;
        };
        let target = Target {
            ifindex: index,
            name: Arc::clone(&interface.name),
        };
        for direction in [Direction::Ingress, Direction::Egress] {
            let program = &mut self.programs[direction as usize];
            let attached = attachments.attach(program, direction, &target, attach_type);
            match attached.await {
                Ok(_outcome) => {}
                Err(AttachError::Gone(_)) => {
                    self.shared.lock().added.remove(&index);
                    return;
                }
                Err(error) => log::error!("{}", chain(&error)),
            }
        }
        log::info!("{} appeared, HostEndpoint {owner}: policed", interface.name);
    }
}

/// Whether one of the host's connections has an address of the interface.
fn has_connections(interface: &Interface) -> bool {
    let is_own = |address: &IpAddr| interface.addresses.contains(address);
    !interface.addresses.is_empty()
        && sockets::connections()
            .iter()
            .any(|flow| is_own(&flow.opener.0) || is_own(&flow.responder.0))
}
