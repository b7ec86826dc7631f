//! Detects whether the kernel may hand this host's processes packets for addresses that are not the
//! host's (spec EV-260): by NAT, or by routes of other tables, as TPROXY needs them.
//!
//! nftables, iptables-nft included, notifies about its chains by netlink; legacy iptables only lists its
//! tables, so those are polled.

use std::{fs, future::poll_fn, io, time::Duration};

use futures_util::TryStreamExt as _;
use rtnetlink::{
    Handle, IpVersion,
    packet_route::{
        AddressFamily,
        route::{RouteAttribute, RouteMessage, RouteType},
        rule::RuleAttribute,
    },
    sys::{AsyncSocket as _, Socket, SocketAddr, TokioSocket, protocols::NETLINK_NETFILTER},
};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::datapath::local_in;

/// Polling interval for sources without notifications.
const LOOK: Duration = Duration::from_secs(10);
/// Tables that every route lookup uses, or that mean no table: TC knows their result.
const USUAL_TABLES: [u32; 4] = [0, 253, 254, 255];
/// `NFNLGRP_NFTABLES` of `linux/netfilter/nfnetlink.h`.
const NFTABLES_GROUP: u32 = 7;
/// Buffer for one datagram of the kernel.
const DATAGRAM_BYTES: usize = 1 << 16;

/// Features in use that hand packets for other addresses to this host's processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Whether there are NAT chains.
    pub nat: bool,
    /// Whether there are routes to this host in tables that policy rules name.
    pub routes: bool,
}

impl Translation {
    /// Whether any of them is in use.
    #[must_use]
    pub const fn is_possible(self) -> bool {
        self.nat || self.routes
    }

    /// Describes them as text; empty if there are none.
    #[must_use]
    pub const fn causes(self) -> &'static str {
        match (self.nat, self.routes) {
            (true, true) => "NAT rules and local routes of policy routing (TPROXY)",
            (true, false) => "NAT rules",
            (false, true) => "local routes of policy routing (TPROXY)",
            (false, false) => "",
        }
    }
}

/// Watches for changes of these features.
pub(super) struct TranslationWatch {
    nftables: Option<TokioSocket>,
    look: Interval,
    /// The result of the last read.
    last: Translation,
}

impl TranslationWatch {
    /// Creates a watch that has read nothing yet; needs a tokio runtime.
    pub(super) fn new() -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        Self {
            nftables: None,
            look,
            last: Translation::default(),
        }
    }

    /// Waits until something may have changed. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::select! {
                is_relevant = heard(self.nftables.as_ref(), self.last.nat) => if is_relevant {
                    return;
                },
                _ = self.look.tick() => if has_nat() != self.last.nat {
                    return;
                },
            }
        }
    }

    /// Reads the present state.
    pub(super) async fn read(&mut self, requests: &Handle) -> Translation {
        if self.nftables.is_none() && has_nftables() {
            // Subscribe before reading, or changes in between would be missed.
            match subscribe() {
                Ok(socket) => self.nftables = Some(socket),
                Err(error) => log::debug!("notifications of nftables: {error}"),
            }
        }
        self.last = Translation {
            nat: has_nat(),
            routes: has_local_routes(requests).await,
        };
        self.last
    }
}

/// Waits for a notification; returns whether it may change the state, given `has_nat`.
async fn heard(socket: Option<&TokioSocket>, has_nat: bool) -> bool {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
    match poll_fn(|context| socket.poll_recv(context, &mut datagram)).await {
        Ok(()) => messages::of(&datagram).any(|message| {
            messages::names_nat(message) || (has_nat && messages::is_removal(message))
        }),
        // Notifications were lost.
        Err(_overrun) => true,
    }
}

fn subscribe() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
    socket.socket_mut().bind_auto()?;
    socket.socket_ref().add_membership(NFTABLES_GROUP)?;
    Ok(socket)
}

/// Whether nftables is loaded, found without a request, which would load it.
fn has_nftables() -> bool {
    match fs::read_to_string("/proc/modules") {
        Ok(modules) => {
            modules.lines().any(|line| line.starts_with("nf_tables ")) || local_in::has_nftables()
        }
        // This kernel has no loadable modules.
        Err(_none) => true,
    }
}

/// Whether there are NAT chains; true if that cannot be determined.
fn has_nat() -> bool {
    let names = |file: &str| {
        let path = format!("/proc/thread-self/net/{file}");
        fs::read_to_string(path).is_ok_and(|names| names.lines().any(|name| name == "nat"))
    };
    names("ip_tables_names")
        || names("ip6_tables_names")
        || (has_nftables() && has_nat_chains().unwrap_or(true))
}

/// Whether nftables has NAT chains.
fn has_nat_chains() -> io::Result<bool> {
    let mut socket = match Socket::new(NETLINK_NETFILTER) {
        // This kernel has no nftables.
        Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => return Ok(false),
        socket => socket?,
    };
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&messages::list_chains(), 0)?;
    let mut found = false;
    loop {
        let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
        socket.recv(&mut datagram, 0)?;
        for message in messages::of(&datagram) {
            if messages::is_last(message) {
                return Ok(found);
            }
            found |= messages::names_nat(message);
        }
    }
}

/// Whether there are routes to this host in tables that policy rules name.
async fn has_local_routes(requests: &Handle) -> bool {
    for (version, family) in [
        (IpVersion::V4, AddressFamily::Inet),
        (IpVersion::V6, AddressFamily::Inet6),
    ] {
        let rules = requests.rule().get(version).execute().try_collect();
        // A kernel without this family, or without policy routing, has none.
        let rules: Vec<_> = rules.await.unwrap_or_default();
        let mut tables: Vec<u32> = rules
            .iter()
            .map(|rule| {
                let named = rule.attributes.iter().find_map(|attribute| {
                    if let RuleAttribute::Table(table) = attribute {
                        return Some(*table);
                    }
                    None
                });
                named.unwrap_or_else(|| rule.header.table.into())
            })
            .filter(|table| !USUAL_TABLES.contains(table))
            .collect();
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            request.header.kind = RouteType::Local;
            request.attributes.push(RouteAttribute::Table(table));
            let mut routes = Box::pin(requests.route().get(request).execute());
            // A table without routes does not exist for the kernel.
            if let Ok(Some(_route)) = routes.try_next().await {
                return true;
            }
        }
    }
    false
}

/// Messages of nftables, by `linux/netlink.h` and `linux/netfilter/nf_tables.h`.
mod messages {
    /// Length, type, flags, sequence number and port; only the first two are used.
    const HEADER_BYTES: usize = 16;
    /// Family, version and resource, behind the header.
    const FAMILY_BYTES: usize = 4;
    /// `NLMSG_ERROR` and `NLMSG_DONE`.
    const ENDS: [u16; 2] = [2, 3];
    /// `NFNL_SUBSYS_NFTABLES`, as the upper byte of a type.
    const NFTABLES: u16 = 10 << 8;
    /// `NFT_MSG_NEWCHAIN`, `NFT_MSG_GETCHAIN`.
    const NEW_CHAIN: u16 = NFTABLES | 3;
    const GET_CHAIN: u16 = NFTABLES | 4;
    /// `NFT_MSG_DELTABLE`, `NFT_MSG_DELCHAIN`.
    const REMOVALS: [u16; 2] = [NFTABLES | 2, NFTABLES | 5];
    /// `NLM_F_REQUEST | NLM_F_DUMP`.
    const LIST: u16 = 0x301;
    /// `NFTA_CHAIN_TYPE`, which only base chains have.
    const CHAIN_TYPE: u16 = 7;
    /// Flag bits of an attribute's type.
    const FLAGS: u16 = 0xc000;

    /// The request for all chains of all families.
    pub(super) fn list_chains() -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + FAMILY_BYTES).expect("short");
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(GET_CHAIN.to_ne_bytes());
        request.extend(LIST.to_ne_bytes());
        request.resize(HEADER_BYTES + FAMILY_BYTES, 0);
        request
    }

    /// The messages of a datagram, each with its header.
    pub(super) fn of(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
        parts(datagram, |rest| {
            let length = rest.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))?;
            usize::try_from(length).ok()
        })
    }

    /// Consecutive parts, each with its own length, aligned to 4 bytes.
    fn parts(
        mut rest: &[u8],
        length: impl Fn(&[u8]) -> Option<usize>,
    ) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            let length = length(rest).filter(|length| *length >= 4)?;
            let part = rest.get(..length)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some(part)
        })
    }

    fn half(bytes: &[u8], at: usize) -> Option<u16> {
        let half = bytes.get(at..)?.first_chunk()?;
        Some(u16::from_ne_bytes(*half))
    }

    /// Whether this message ends a listing.
    pub(super) fn is_last(message: &[u8]) -> bool {
        half(message, 4).is_none_or(|kind| ENDS.contains(&kind))
    }

    /// Whether the message reports the removal of a chain or table.
    pub(super) fn is_removal(message: &[u8]) -> bool {
        half(message, 4).is_some_and(|kind| REMOVALS.contains(&kind))
    }

    /// Whether the message describes a NAT chain.
    pub(super) fn names_nat(message: &[u8]) -> bool {
        if half(message, 4) != Some(NEW_CHAIN) {
            return false;
        }
        let attributes = message.get(HEADER_BYTES + FAMILY_BYTES..);
        let mut attributes = parts(attributes.unwrap_or_default(), |rest| {
            half(rest, 0).map(usize::from)
        });
        attributes.any(|attribute| {
            half(attribute, 2).map(|kind| kind & !FLAGS) == Some(CHAIN_TYPE)
                && attribute.get(4..) == Some(b"nat\0")
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
            let mut body = vec![0; FAMILY_BYTES];
            for (kind, value) in attributes {
                let length = u16::try_from(4 + value.len()).expect("short");
                body.extend(length.to_ne_bytes());
                body.extend(kind.to_ne_bytes());
                body.extend(*value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            let length = u32::try_from(HEADER_BYTES + body.len()).expect("short");
            let mut message = length.to_ne_bytes().to_vec();
            message.extend(kind.to_ne_bytes());
            message.resize(HEADER_BYTES, 0);
            message.extend(body);
            message
        }

        #[test]
        fn chains_for_nat_are_told_from_others() {
            type Attributes = &'static [(u16, &'static [u8])];
            let rows: [(u16, Attributes, bool); 5] = [
                (
                    NEW_CHAIN,
                    &[(1, b"t\0"), (3, b"pre\0"), (7, b"nat\0")],
                    true,
                ),
                (
                    NEW_CHAIN,
                    &[(1, b"nat\0"), (3, b"nat\0"), (7, b"filter\0")],
                    false,
                ),
                (NEW_CHAIN, &[(1, b"t\0"), (3, b"nat\0")], false),
                (NFTABLES | 6, &[(7, b"nat\0")], false),
                (NEW_CHAIN, &[], false),
            ];
            for (kind, attributes, is_nat) in rows {
                let message = message(kind, attributes);
                assert_eq!(names_nat(&message), is_nat, "{attributes:?}");
            }
        }

        #[test]
        fn a_datagram_is_cut_into_its_messages() {
            let [first, last] = [message(NEW_CHAIN, &[(7, b"nat\0")]), message(3, &[])];
            let datagram = [first.as_slice(), &last].concat();
            let found: Vec<_> = of(&datagram).collect();
            assert_eq!(found, [first.as_slice(), &last]);
            assert!(is_last(found[1]) && !is_last(found[0]));
            assert_eq!(of(&datagram[..8]).count(), 0);
            assert_eq!(of(&[0; 32]).count(), 0);
        }
    }
}
